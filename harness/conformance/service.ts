/** A service of our own for the rules: real, or a twin with one fault. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { askAdmin, createAccount } from '#harness/topology/accounts.ts';
import { endAtOnce } from '#harness/topology/end-at-once.ts';
import { endProcess } from '#harness/topology/processes.ts';
import type { AccountCredentials } from '#harness/topology/provision.ts';
import { startScratchService, twinOptions } from '#harness/topology/scratch-service.ts';
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
  const { folder, service, accounts, killAndRestart, stop } = await startScratchService({ name: 'conformance', twin });
  return {
    url: () => service().url,
    accounts,
    killAndRestart,
    stop,
    withService: async (settings, use) => {
      const own = mkdtempSync(join(folder, 'other-'));
      const data = settings.data ?? join(own, 'data');
      const other = await startService({
        workers: settings.workers ?? 1,
        folder: data,
        ...(settings.env === undefined ? {} : { env: settings.env }),
        ...(settings.descriptorsMax === undefined ? {} : { descriptorsMax: settings.descriptorsMax }),
        ...twinOptions(twin ?? settings.twinOtherwise),
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
          killWorker: () => void other.workerPids().slice(0, 1).forEach(endProcess),
          stop: other.stop,
          kill: () => endAtOnce(other, 'the other service'),
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
      try {
        await useOnDisk(await startService({ workers: 1, folder: join(disk, 'data'), ...twinOptions(twin) }), use);
      } finally {
        execFileSync('umount', ['-l', disk]);
      }
    },
  };
}

/** Stops it in the end. An error of the check's own comes with what the service said last. */
async function useOnDisk(other: Service, use: Parameters<OwnService['withSmallDisk']>[0]): Promise<void> {
  const client = createClient(() => other.url);
  try {
    await use({ client, account: await createAccount(other.adminUrl, other.adminToken, 'small-disk') });
  } catch (error) {
    if (error instanceof Broken || error instanceof Unaskable) throw error;
    throw new Error(`${(error as Error).message}; the service said:\n${other.stderrTail()}`, { cause: error });
  } finally {
    await client.close();
    await other.stop();
  }
}

function mountSmallDisk(path: string): void {
  mkdirSync(path, { recursive: true });
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', path], { encoding: 'utf8' });
  if (status !== 0) throw new Unaskable(`it needs a small disk, and this user may not mount one (${error?.message ?? stderr.trim()}): run it as root on Linux`);
}
