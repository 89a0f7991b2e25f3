/** What a run loads: a service that this run starts and stops, or one that is there already. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { request } from 'undici';
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { WatchedProcess } from '#harness/metrics/watch.ts';
import { UsageError } from '#harness/usage-error.ts';
import { createAccount } from './accounts.ts';
import type { AccountCredentials } from './provision.ts';
import { startService } from './service-process.ts';

export type Target = {
  readonly url: string;
  readonly owned: boolean;
  readonly accounts: readonly AccountCredentials[];
  /** For the probe; the run's own where no further account can be made. */
  readonly probeAccount: AccountCredentials;
  readonly workers: number | undefined;
  readonly durability: string | undefined;
  /** Supervisor and workers, as they are now. */
  readonly processes: () => readonly WatchedProcess[];
  readonly stop: () => Promise<void>;
  /** At once and synchronously enough for a dying process. */
  readonly kill: () => void;
};

export type OwnTarget = { readonly workers: number; readonly accounts: number; readonly folder: string; readonly logFile: string };

export async function startTarget({ workers, accounts, folder, logFile }: OwnTarget): Promise<Target> {
  const service = await startService({ workers, folder, logFile });
  try {
    const made: AccountCredentials[] = [];
    for (let i = 0; i < accounts; i++) made.push(await createAccount(service.adminUrl, service.adminToken, `fleet-${i}`));
    const probeAccount = await createAccount(service.adminUrl, service.adminToken, 'probe');
    return {
      url: service.url,
      owned: true,
      accounts: made,
      probeAccount,
      workers,
      durability: await readDurability(service.url),
      processes: () => [
        { name: 'supervisor', role: 'system', pid: service.pid },
        ...service.workerPids().map((pid, i): WatchedProcess => ({ name: `worker-${i + 1}`, role: 'system', pid })),
      ],
      stop: async () => {
        await service.stop();
      },
      kill: () => service.kill(),
    };
  } catch (error) {
    await service.stop();
    throw error;
  }
}

export async function attachTarget({ url, credentialsFile }: { readonly url: string; readonly credentialsFile: string }): Promise<Target> {
  const accounts = readCredentials(credentialsFile);
  const base = url.replace(/\/+$/, '');
  const durability = await readDurability(base);
  return {
    url: base,
    owned: false,
    accounts,
    probeAccount: accounts.at(-1) as AccountCredentials,
    workers: undefined,
    durability,
    processes: () => [],
    stop: async () => undefined,
    kill: () => undefined,
  };
}

/** One account or an array of them: `{"account_id": …, "secret": …, "publishable_key": …}`. Throws a sentence that names the file. */
export function readCredentials(file: string): readonly AccountCredentials[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`the credentials file ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const accounts = Array.isArray(parsed) ? parsed : [parsed];
  if (accounts.length === 0) throw new UsageError(`the credentials file ${file} holds no account`);
  for (const [i, account] of accounts.entries()) {
    for (const field of ['account_id', 'secret', 'publishable_key']) {
      if (typeof (account as Record<string, unknown> | null)?.[field] !== 'string')
        throw new UsageError(`the credentials file ${file}, account ${i + 1}: "${field}" has to be a text`);
    }
  }
  return accounts as AccountCredentials[];
}

async function readDurability(url: string): Promise<string | undefined> {
  let answer: Awaited<ReturnType<typeof request>>;
  try {
    answer = await request(`${url}/v1/limits`, { headersTimeout: 5000, bodyTimeout: 5000 });
  } catch (error) {
    throw new Error(`nothing answers at ${url}: ${error instanceof Error ? error.message : String(error)}. Is the service running, and is the address right?`);
  }
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${url}/v1/limits answered ${answer.statusCode}; is this a service of the contract?`);
  const { durability } = JSON.parse(text) as { durability?: unknown };
  return typeof durability === 'string' ? durability : undefined;
}

export function engineTargetOf(url: string): EngineTarget {
  const { protocol, hostname, port, pathname } = new URL(url);
  const tls = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    port: port === '' ? (tls ? 443 : 80) : Number(port),
    pathPrefix: pathname.replace(/\/+$/, ''),
    // An address is no server name: the certificate is then checked against the address itself.
    ...(tls ? { tls: isIP(host) === 0 ? { serverName: host } : {} } : {}),
  };
}
