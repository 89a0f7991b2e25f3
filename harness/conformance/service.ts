/** A service of our own for the rules: real, or a twin with one fault. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccount } from '#harness/topology/accounts.ts';
import type { AccountCredentials } from '#harness/topology/provision.ts';
import { startService } from '#harness/topology/service-process.ts';
import type { OwnService } from './rule.ts';

export type ServiceUnderTest = OwnService & {
  readonly url: () => string;
  readonly accounts: readonly AccountCredentials[];
  readonly stop: () => Promise<void>;
};

/** `twin`: a fault's name of system/twins; undefined for the service itself. */
export async function startOwnService(twin: string | undefined): Promise<ServiceUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-conformance-'));
  const start = () =>
    startService({ workers: 1, folder: join(folder, 'data'), ...(twin === undefined ? {} : { entry: 'system/twins/main.ts', args: [twin] }) });
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
      const workers = service.workerPids();
      service.kill();
      for (const pid of workers) endWorker(pid);
      await service.exited;
      service = await start();
    },
    stop: async () => {
      await service.stop();
      clean();
    },
  };
}

/** A worker of ours that may have ended with its supervisor already. */
function endWorker(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone: that is what was wanted.
  }
}
