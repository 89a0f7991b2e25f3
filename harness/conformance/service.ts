/** A service of our own for the rules: real, or a twin with one fault. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askAdmin, createAccount } from '#harness/topology/accounts.ts';
import type { AccountCredentials } from '#harness/topology/provision.ts';
import { type Service, startService } from '#harness/topology/service-process.ts';
import { createClient } from './client.ts';
import { Broken, type OwnService, Unaskable } from './rule.ts';

export type ServiceUnderTest = OwnService & {
  readonly url: () => string;
  readonly accounts: readonly AccountCredentials[];
  readonly stop: () => Promise<void>;
};

/** `twin`: a fault's name of system/twins; undefined for the service itself. */
export async function startOwnService(twin: string | undefined): Promise<ServiceUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-conformance-'));
  const start = (data = join(folder, 'data')): Promise<Service> =>
    startService({ workers: 1, folder: data, ...(twin === undefined ? {} : { entry: 'system/twins/main.ts', args: [twin] }) });
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  let service = await start().catch((error: unknown) => {
    clean();
    throw error;
  });
  const accounts = [
    await createAccount(service.adminUrl, service.adminToken, 'conformance'),
    await createAccount(service.adminUrl, service.adminToken, 'stranger'),
  ];
  return {
    url: () => service.url,
    accounts,
    killAndRestart: async () => {
      await killAll(service);
      service = await start();
    },
    withService: async (settings, use) => {
      const own = mkdtempSync(join(folder, 'other-'));
      const data = settings.data ?? join(own, 'data');
      const name = twin ?? settings.twinOtherwise;
      const other = await startService({
        workers: settings.workers ?? 1,
        folder: data,
        ...(settings.env === undefined ? {} : { env: settings.env }),
        ...(settings.descriptorsMax === undefined ? {} : { descriptorsMax: settings.descriptorsMax }),
        ...(name === undefined ? {} : { entry: 'system/twins/main.ts', args: [name] }),
      });
      const client = createClient(() => other.url);
      const newAccount = (quotas: Readonly<Record<string, number>>) => createAccount(other.adminUrl, other.adminToken, 'other', quotas);
      try {
        await use({
          client,
          account: await newAccount({}),
          proxyUrl: other.proxyUrl,
          admin: (asking) => askAdmin(other, asking),
          newAccount,
          killWorker: () => void other.workerPids().slice(0, 1).forEach(endWorker),
          stop: other.stop,
          kill: () => killAll(other),
          folder: own,
          data,
        });
      } finally {
        await client.close();
        await other.stop();
      }
    },
    withSmallDisk: async (use) => {
      const disk = join(folder, 'disk');
      mountSmallDisk(disk);
      const other = await start(join(disk, 'data'));
      const client = createClient(() => other.url);
      try {
        await use({ client, account: await createAccount(other.adminUrl, other.adminToken, 'small-disk') }).catch((error: Error) => {
          if (error instanceof Broken || error instanceof Unaskable) throw error;
          throw new Error(`${error.message}; the service said:\n${other.stderrTail()}`, { cause: error });
        });
      } finally {
        await client.close();
        await other.stop();
        execFileSync('umount', ['-l', disk]);
      }
    },
    stop: async () => {
      await service.stop();
      clean();
    },
  };
}

function mountSmallDisk(path: string): void {
  mkdirSync(path, { recursive: true });
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', path], { encoding: 'utf8' });
  if (status !== 0) throw new Unaskable(`it needs a small disk, and this user may not mount one (${error?.message ?? stderr.trim()}): run it as root on Linux`);
}

async function killAll(service: Service): Promise<void> {
  const workers = service.workerPids();
  service.kill();
  for (const pid of workers) endWorker(pid);
  await service.exited;
}

/** A worker of ours that may have ended with its supervisor already. */
function endWorker(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone: that is what was wanted.
  }
}
