/** The environment's databases and the small rows in them. Nothing here is cached: another process may have changed it. */
import { type Database, open, type RootDatabase } from 'lmdb';
import { digestKey } from '#system/store/digest.ts';
import { makePrivate } from '#system/store/private-folder.ts';
import {
  leaseTokens,
  type Position,
  partitionCount,
  positionStart,
  type QuotaGrant,
  type QuotaLease,
  type QuotaRow,
  StoreUnavailable,
} from '#system/store/store.ts';
import { assertOpenable, fileNames } from './data-file.ts';

export type Table = Database<Buffer, Buffer>;
export type Tables = {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly log: Table;
  readonly rows: Table;
  readonly devices: Table;
  readonly reasons: Table;
  readonly seen: Table;
  readonly answers: readonly [Table, Table];
  readonly sync: Table;
  readonly outbox: Table;
  readonly presence: Table;
  readonly outward: Table;
  readonly usage: Table;
  readonly archive: Table;
};

export type Head = { readonly sequence: number; readonly position: Position; readonly floor: number; readonly accepted: readonly number[] };
export type PartitionRow = { readonly owner?: string; readonly fence: number; readonly untilMs: number; readonly checkpoint: Position; readonly done: number };
export type Tally = { readonly accepted: number; readonly duplicate: number; readonly rejected: number };
export type StepTally = { readonly kept: number; readonly filtered: Readonly<Record<string, number>> };
export type Generation = { readonly young: 0 | 1; readonly bornMs: number };

/** Room in the address space, so that no process has to map anew while another one writes; the file grows as it is used. */
const addressBytes = 64 * 2 ** 30;

/** Without `overlappingSync`: with it, killed processes made the others lose transactions (README, "No overlapping sync"). */
export function openTables(folder: string, noSync: boolean): Tables {
  makePrivate(folder, fileNames);
  assertOpenable(folder);
  const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const root = open<Buffer, Buffer>({
    path: folder,
    noSubdir: false,
    maxDbs: 16,
    maxReaders: 256,
    mapSize: addressBytes,
    noSync,
    overlappingSync: false,
    ...binary,
  });
  const table = (name: string): Table => root.openDB<Buffer, Buffer>({ name, ...binary });
  refuseOlderThanFormats(root, table);
  return {
    root,
    log: table('log'),
    rows: table('rows'),
    devices: table('devices'),
    reasons: table('reasons'),
    seen: table('seen'),
    answers: [table('answers-0'), table('answers-1')],
    sync: table('sync'),
    outbox: table('outbox'),
    presence: table('presence'),
    outward: table('outward'),
    usage: table('usage'),
    archive: table('archive'),
  };
}

/** Of a database's name, as LMDB keeps it among the keys of the root. */
const named = (name: string): Buffer => Buffer.from(`${name}\0`);

/**
 * Format 1 has no number, and neither has what was there before, whose rows of devices are others: read as format 1 they are misread. The
 * database `archive` is as old as format 1. Before any database is opened, which makes it.
 */
function refuseOlderThanFormats(root: Tables['root'], table: (name: string) => Table): void {
  // A process that ended while it made the databases left some of them, without a row.
  if (root.doesExist(named('archive')) || !root.doesExist(named('rows')) || readRow(table('rows'), 'head') === undefined) return;
  void root.close();
  throw new StoreUnavailable(
    'corrupt',
    'The data are older than format 1, and this version cannot read them: start the version that wrote them, read its export, and start this one with another --data folder. Nothing was changed.',
  );
}

export function readRow<T>(table: Table, key: string | Buffer): T | undefined {
  const bytes = table.getBinary(keyBytes(key));
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as T);
}

export function writeRow(table: Table, key: string | Buffer, row: unknown): void {
  table.putSync(keyBytes(key), Buffer.from(JSON.stringify(row)));
}

function keyBytes(key: string | Buffer): Buffer {
  return typeof key === 'string' ? (key.length > 400 ? digestKey(key) : Buffer.from(key)) : key;
}

export function readHead(tables: Tables): Head {
  return readRow<Head>(tables.rows, 'head') ?? { sequence: 0, position: positionStart, floor: 1, accepted: new Array<number>(partitionCount).fill(0) };
}

export function readPartition(tables: Tables, partition: number): PartitionRow {
  if (!Number.isInteger(partition) || partition < 0 || partition >= partitionCount) throw new RangeError(`There is no partition ${partition}.`);
  return readRow<PartitionRow>(tables.rows, `partition/${partition}`) ?? { fence: 0, untilMs: 0, checkpoint: positionStart, done: 0 };
}

export function leaseQuota(tables: Tables, wanted: QuotaLease): QuotaGrant {
  const { row, grant } = leaseTokens(readRow<QuotaRow>(tables.rows, `quota/${wanted.name}`), wanted);
  writeRow(tables.rows, `quota/${wanted.name}`, row);
  return grant;
}

export const settled = (tables: Tables, name: string): string | undefined => readRow<string>(tables.rows, `settled/${name}`);

/** The first candidate ever offered. */
export function settle(tables: Tables, { name, candidate }: { readonly name: string; readonly candidate: string }): string {
  const first = settled(tables, name) ?? candidate;
  writeRow(tables.rows, `settled/${name}`, first);
  return first;
}
