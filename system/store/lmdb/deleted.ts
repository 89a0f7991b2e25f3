/** The devices that were deleted of late, in order of time: whoever serves must know them before their tokens end by themselves. */
import { type DeletedDevice, deletedKeptMs, type Store } from '#system/store/store.ts';
import { type Tables, writeRow } from './tables.ts';

/** Forgotten a deletion: more than one, so that what is old goes. */
const forgottenMax = 8;

const keyOf = ({ account, device, atMs }: DeletedDevice): string => `${timeKey(atMs)}/${account}\0${device}`;
const timeKey = (ms: number): string => `deleted/${String(Math.max(0, ms)).padStart(16, '0')}`;

/** Within the transaction that deletes. */
export function noteDeleted(tables: Tables, deleted: DeletedDevice): void {
  const old = tables.rows.getKeys({ start: Buffer.from(timeKey(0)), end: Buffer.from(timeKey(deleted.atMs - deletedKeptMs)), limit: forgottenMax });
  for (const key of [...old]) tables.rows.removeSync(key);
  writeRow(tables.rows, keyOf(deleted), deleted);
}

export function readDeleted(tables: Tables, { fromMs, limit }: Parameters<Store['readDeleted']>[0]): readonly DeletedDevice[] {
  const range = tables.rows.getRange({ start: Buffer.from(timeKey(fromMs)), end: Buffer.from('deleted0'), limit });
  return [...range].map(({ value }) => JSON.parse(value.toString()) as DeletedDevice);
}
