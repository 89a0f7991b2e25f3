/** A service for one command: its data in a temporary folder that goes with it, and two accounts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccount } from './accounts.ts';
import { endAtOnce } from './end-at-once.ts';
import type { AccountCredentials } from './provision.ts';
import { type Service, type ServiceOptions, startService } from './service-process.ts';

export type ScratchService = {
  /** Goes with it; its data stand in `data` there. */
  readonly folder: string;
  /** As it is now: another one after each restart. */
  readonly service: () => Service;
  readonly accounts: readonly [AccountCredentials, AccountCredentials];
  /** SIGKILL to everything, then a new start on the same data. */
  readonly killAndRestart: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** `twin`: a fault's name of system/twins; undefined for the service itself. */
export const twinOptions = (twin: string | undefined): Pick<ServiceOptions, 'entry' | 'args'> =>
  twin === undefined ? {} : { entry: 'system/twins/main.ts', args: [twin] };

export type ScratchOptions = { readonly name: string; readonly twin: string | undefined; readonly env?: Readonly<Record<string, string>> };

/** `name`: of the command, for its folder and its first account. Leaves nothing behind where it does not come up. */
export async function startScratchService({ name, twin, env = {} }: ScratchOptions): Promise<ScratchService> {
  const folder = mkdtempSync(join(tmpdir(), `headroom-${name}-`));
  const start = (): Promise<Service> => startService({ workers: 1, folder: join(folder, 'data'), env, ...twinOptions(twin) });
  let service: Service | undefined;
  const stop = async (): Promise<void> => {
    await service?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    service = await start();
    const { adminUrl, adminToken } = service;
    const accounts = [await createAccount(adminUrl, adminToken, name), await createAccount(adminUrl, adminToken, 'stranger')] as const;
    return {
      folder,
      service: () => service as Service,
      accounts,
      killAndRestart: async () => {
        await endAtOnce(service as Service, name);
        service = await start();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
