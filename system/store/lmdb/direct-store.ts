/** The store on the thread that writes: a transaction commits and flushes in one native call, and this thread waits for it. */
import { limits } from '#system/protocol/limits.ts';
import { type Retention, retentionDefault } from '#system/store/ordered-changes.ts';
import { putMetered } from '#system/store/ordered-usage.ts';
import type { OutwardBounds } from '#system/store/outward.ts';
import { outwardBoundsDefault } from '#system/store/outward-event.ts';
import { type AccountRow, type AppendResult, type Store, StoreUnavailable } from '#system/store/store.ts';
import { createMachineClock, type MachineClock, type TimeAnchor } from '#system/store/store-time.ts';
import { openTime } from './ages.ts';
import { type AppendExtra, type AppendGroup, type AppendGroupInput, beginAppends } from './appends.ts';
import { backUp } from './backup.ts';
import { blockBytesMax, viewBlock, writeBlock } from './codec.ts';
import { isSettled, refuseOtherFormats, settleFormat } from './format.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { archiveCommands } from './lmdb-archive.ts';
import { changeCommands, ordered, settleEpoch } from './lmdb-changes.ts';
import { deviceCommands } from './lmdb-outward.ts';
import { createMarks } from './marks.ts';
import { accountRowKey, storeReads } from './reads.ts';
import { diskFreeBytes, hasRoomFor, refusalOf, roomOf } from './room.ts';
import { openSeen } from './seen.ts';
import { beginStepTallies, expire, lease, noteClock, release, type StepContext, step } from './steps.ts';
import { leaseQuota, readHead, readRow, settle, settled, type Tables, writeRow } from './tables.ts';
import { createTidier } from './tidy.ts';

export type DirectOptions = {
  readonly folder: string;
  readonly dedupeHours: number;
  /** How long events can be read. Default: the published limit. */
  readonly hotWindowHours?: number | undefined;
  /** For tests: how many events a run of dedupe gathers. */
  readonly eventsPerRun?: number | undefined;
  /** Bytes the file may grow to; beyond it writing is refused as `full`. Default: what the disk gives. */
  readonly mapSizeBytes?: number | undefined;
  /** Whether records stay until they are archived. */
  readonly isArchived?: boolean | undefined;
  /** How long events are kept for webhooks, and how many; the same that they are told with. Default: a week, 100,000. */
  readonly outwardBounds?: OutwardBounds | undefined;
  /** Default: 20 s. */
  readonly tidyEveryMs?: number | undefined;
  readonly durability: 'fsync' | 'memory';
  /** Of the change logs. Default: ten thousand changes and a week. */
  readonly retention?: Retention | undefined;
};

/** The append commands of one turn of the event loop, as blocks one after the other. */
export type AppendBatch = {
  readonly bytes: Buffer;
  readonly events: number;
  readonly extras: readonly AppendExtra[];
};

export type DirectStore = Store & {
  /** Of its time, for other threads. */ readonly anchor: TimeAnchor;
  /** What became of data of an older format, as a sentence. */
  readonly migration: string | undefined;
  /** A little of what may go with time; resolves with whether there was something. */
  readonly tidy: () => Promise<boolean>;
  readonly appendBatch: (batch: AppendBatch) => Promise<readonly AppendResult[]>;
};

/** Of all processes of a machine only one holds the write lock: this bounds how long. With the batch that joins last still one record. */
const weightPerGroupMax = 16_384;
export const eventsPerBatchMax = 8192;
/** Synchronous commit: flushed, then visible, before the call returns. */
const commitFlags: number = 2;

/** What the commands of one transaction share, made for the first that asks; `finish` is inside it, behind the last. */
type Shared = { readonly appends: () => AppendGroup; readonly steps: () => StepContext; readonly finish: () => void };

function shareTransaction(input: AppendGroupInput): Shared {
  const { tables, time } = input;
  let appends: AppendGroup | undefined;
  let steps: StepContext | undefined;
  return {
    appends: () => {
      appends ??= beginAppends(input);
      return appends;
    },
    steps: () => {
      // A page of the pipeline brings a step for each partition: the floor is read once for all.
      steps ??= { floor: readHead(tables).floor, offsetMs: time.offsetMs(), tallies: beginStepTallies(tables) };
      return steps;
    },
    finish: () => {
      appends?.finish();
      steps?.tallies.finish();
    },
  };
}

export type DirectSurroundings = {
  readonly onLost?: (trouble: StoreUnavailable) => void;
  /** For tests; else this machine's. */
  readonly machine?: MachineClock;
};

export function openDirectStore(tables: Tables, options: DirectOptions, { onLost, machine = createMachineClock() }: DirectSurroundings = {}): DirectStore {
  refuseOtherFormats(tables);
  const { anchor, time, ages, settle: settleTime } = openTime(tables, machine);
  const seen = openSeen(tables, { ...options, time });
  const marks = createMarks();
  seen.catchUp(readHead(tables).sequence);
  const migration = settleStart(tables, options, settleTime);
  const hotWindowMs = (options.hotWindowHours ?? limits.hotWindowHours) * 3_600_000;
  const { dedupeHours, isArchived = false, retention = retentionDefault } = options;
  const sharing = { tables, seen, marks, ages, time, dedupeHours, hotWindowMs, isArchived };
  let shared = shareTransaction(sharing);
  let closed = false;

  const commits = createGroupCommit({
    weightPerGroupMax,
    onLost,
    refusal: () => refusalOf(roomOf(tables, options)),
    commit: (jobs) => {
      shared = shareTransaction(sharing);
      let transaction = 0;
      try {
        tables.root.transactionSync(() => {
          transaction = tables.root.getWriteTxnId();
          for (const job of jobs) job();
          shared.finish();
        }, commitFlags);
        seen.afterCommit();
        marks.afterCommit();
      } catch (cause) {
        seen.rollBack();
        marks.rollBack();
        throw shortWrite(tables, options.folder, transaction, cause) ?? cause;
      }
    },
  });
  const appendBatch = appendBatchTo(commits, () => shared);
  const tidying = { use: 'tidying' } as const;
  const tidier = createTidier({ ...sharing, retention, outwardBounds: options.outwardBounds ?? outwardBoundsDefault });

  return {
    ...storeReads(tables, () => closed),
    ackLevel: options.durability,
    anchor,
    migration,
    storeMs: time.nowMs,
    appendBatch,
    append: appendOne(appendBatch),
    lease: (command) => commits.submit(() => lease(tables, command), tidying),
    release: (command) => commits.submit(() => release(tables, command), tidying),
    step: (command) => commits.submit(() => step(tables, command, shared.steps()), tidying),
    putAccount: (row) =>
      commits.submit(() => {
        if (readRow<AccountRow>(tables.rows, accountRowKey(row.account))) return { kind: 'conflict' } as const;
        writeRow(tables.rows, accountRowKey(row.account), row);
        return { kind: 'stored' } as const;
      }),
    // Read first: what is settled already costs no write, so that a start succeeds where nothing can be written.
    settle: async (settling) => settled(tables, settling.name) ?? commits.submit(() => settle(tables, settling)),
    readTrouble: async () => (hasRoomFor('growing', roomOf(tables, options)) ? undefined : 'full'),
    tidy: async () => {
      if (closed) return false;
      const { changed, isRound } = await commits.submit(tidier.run, tidying);
      // At a full disk all is looked at in one go.
      return changed || (!isRound && !hasRoomFor('growing', roomOf(tables, options)));
    },
    leaseQuota: (wanted) => commits.submit(() => leaseQuota(tables, wanted)),
    expire: (command) => commits.submit(() => expire(tables, command, time), tidying),
    ...archiveCommands(tables, (job) => commits.submit(job, tidying)),
    noteClock: (command) => commits.submit(() => noteClock(tables, command)),
    ...deviceCommands(tables, time, (job) => commits.submit(job)),
    putMetered: (metered) => commits.submit(() => putMetered(ordered(tables.usage), metered)),
    backup: (to) => backUp(tables, to),
    ...changeCommands(tables, { submit: (job) => commits.submit(job), retention }),
    close: async () => {
      if (closed) return;
      closed = true;
      await commits.close();
    },
  };
}

const appendBatchTo =
  (commits: GroupCommit, shared: () => Shared): DirectStore['appendBatch'] =>
  ({ bytes, events, extras }) =>
    commits.submit(
      () => {
        const group = shared().appends();
        const results: AppendResult[] = [];
        let start = 0;
        for (const extra of extras) {
          results.push(group.append(bytes, start, extra));
          start = viewBlock(bytes, start).end;
        }
        return results;
      },
      { weight: events },
    );

const appendOne =
  (appendBatch: DirectStore['appendBatch']): Store['append'] =>
  async (command) => {
    const bytes = Buffer.allocUnsafe(blockBytesMax(command));
    writeBlock(bytes, 0, command);
    const [result] = await appendBatch({ bytes, events: command.events.length, extras: [command] });
    return result as AppendResult;
  };

/** Where nothing can be written, data that have all they need are read as they are. */
function settleStart(tables: Tables, options: DirectOptions, settleTime: () => void): string | undefined {
  if (isSettled(tables) && !hasRoomFor('tidying', roomOf(tables, options))) return undefined;
  return tables.root.transactionSync(() => {
    const migration = settleFormat(tables);
    settleEpoch(tables, '');
    settleTime();
    return migration;
  }, commitFlags);
}

/**
 * LMDB calls a short write EIO, as it calls a failed flush. It was a short write where the transaction never became visible and the
 * disk has no room left; nothing was lost then, and writing may go on once there is room.
 */
function shortWrite(tables: Tables, folder: string, transaction: number, cause: unknown): StoreUnavailable | undefined {
  if ((cause as { code?: unknown }).code !== 5) return undefined;
  const { lastTxnId } = tables.root.getStats() as { lastTxnId: number };
  if (lastTxnId >= transaction || diskFreeBytes(folder) >= 2 ** 20) return undefined;
  return new StoreUnavailable('full', 'full: the disk took only a part of what was written.', { cause });
}
