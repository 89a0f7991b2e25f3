/** The store as the service opens it: with the pipeline beside it, on the store's own thread. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.ts';
import { isArchiveOn } from './config-archive.ts';
import { filtersOf } from './config-filters.ts';
import { webhookSettingsOf } from './config-webhooks.ts';
import type { CompanionData } from './pipeline/companion.ts';
import { restoreBackup } from './store/lmdb/backup.ts';
import { fileNames } from './store/lmdb/data-file.ts';
import { openLmdbStore } from './store/lmdb/lmdb-store.ts';
import { closeFolder } from './store/private-folder.ts';
import type { DeviceRef, Store, StoreUnavailable } from './store/store.ts';

/** First of all. Returns a sentence for all that stood open to others and is closed now; throws one where it cannot be. */
export const closeDataFolder = ({ dataFolder }: Config): readonly string[] => closeFolder(dataFolder, fileNames);

const lookTimeoutMs = 120_000;

/** In a process of its own, which damaged data may end. Returns a sentence for what was done to them; throws one that says what is wrong. */
export function lookAtData({ dataFolder, durability }: Config): readonly string[] {
  const look = fileURLToPath(new URL('./store/lmdb/look.ts', import.meta.url));
  const { status, signal, stdout, error } = spawnSync(process.execPath, [look, dataFolder, durability], { encoding: 'utf8', timeout: lookTimeoutMs });
  if (status === 0) return stdout === '' ? [] : [`${dataFolder}: ${stdout}`];
  if (status === 1) throw new Error(`${dataFolder} cannot be opened: ${stdout}`);
  throw new Error(
    `the data in ${dataFolder} are damaged, or there is no room for them: who opened them ended with ${signal ?? error?.message ?? status}. Make room, or start with another --data folder, and with --restore-from if there is a backup.`,
  );
}

/** Before any worker opens the data folder. */
export const restoreServiceStore = ({ dataFolder, restoreFrom }: Config): Promise<string | undefined> =>
  restoreFrom === undefined ? Promise.resolve(undefined) : restoreBackup({ from: restoreFrom, to: dataFolder });

export type Flush = (real: () => Promise<void>) => Promise<void>;
export type ServiceStoreOptions = {
  readonly config: Config;
  readonly log: (level: 'info' | 'error', text: string) => void;
  /** Devices whose latest location or presence is another one now. */
  readonly onDeviceNews?: ((devices: readonly DeviceRef[]) => void) | undefined;
  readonly onLost?: ((trouble: StoreUnavailable) => void) | undefined;
  /** For twins: stands between the commit and the answer. */
  readonly flush?: Flush | undefined;
  /** For twins: another module with the pipeline's `start`. */
  readonly pipeline?: string | undefined;
};

export function openServiceStore({ config, log, onLost, onDeviceNews, flush, pipeline }: ServiceStoreOptions): Promise<Store> {
  const data: CompanionData = {
    presenceTimeoutMs: config.presenceTimeoutMs,
    filters: filtersOf(config),
    owner: `${process.pid}-${randomBytes(4).toString('hex')}`,
  };
  return openLmdbStore({
    folder: config.dataFolder,
    flushTimeoutMs: config.flushTimeoutMs,
    dedupeHours: 24,
    durability: config.durability,
    isArchived: isArchiveOn(config),
    outwardBounds: webhookSettingsOf(config).bounds,
    retention: { wholeChanges: config.wholeChanges, deletionsMs: config.deletionsSeconds * 1000 },
    companion: { module: pipeline ?? import.meta.resolve('./pipeline/companion.ts'), data },
    onCompanionSays: (news) => onDeviceNews?.(news as readonly DeviceRef[]),
    ...(onLost === undefined ? {} : { onLost }),
    ...(flush === undefined ? {} : { faults: { flush } }),
    onTrouble: (trouble) => log('error', trouble.message),
    onCompanionTrouble: (text) => log('error', text),
  });
}
