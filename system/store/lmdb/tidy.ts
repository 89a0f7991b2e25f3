/** What goes with time goes without a write that brings it along: at a full disk there is none, and nothing else makes room. */
import { createPause } from '#system/clock.ts';
import { type Retention, tidyLogs } from '#system/store/ordered-changes.ts';
import { forgetOutward } from '#system/store/ordered-outward.ts';
import type { OutwardBounds } from '#system/store/outward.ts';
import type { StoreTime } from '#system/store/store-time.ts';
import { forgetOldAnswers, hasOldAnswers } from './answers.ts';
import { ordered } from './lmdb-changes.ts';
import { hasOldRecords, type PruneInput, prune } from './prune.ts';
import { accountRowKey } from './reads.ts';
import type { Seen } from './seen.ts';
import { readHead, type Tables, writeRow } from './tables.ts';

export type TidyInput = {
  readonly tables: Tables;
  readonly seen: Seen;
  readonly time: StoreTime;
  readonly dedupeHours: number;
  readonly hotWindowMs: number;
  readonly isArchived: boolean;
  readonly retention: Retention;
  readonly outwardBounds: OutwardBounds;
};

const pruneInputOf = ({ tables, time, seen, hotWindowMs, isArchived }: TidyInput): PruneInput => {
  const head = readHead(tables);
  return { tables, time, head, sealedThrough: seen.sealedThrough(), beforeMs: time.nowMs() - hotWindowMs, isArchived };
};

/** Looked at in one transaction, which costs no flush where nothing goes: 512 kept the thread that writes for 34 ms on a machine with three other loads. */
const principalsAtOnce = 128;
const accountsAtOnce = 128;

export type Tidier = {
  /** Inside the write transaction: a little of what may go. `changed`: something did; `isRound`: all principals and accounts were looked at since the last round. */
  readonly run: () => { readonly changed: boolean; readonly isRound: boolean };
};

export function createTidier(input: TidyInput): Tidier {
  let after: Buffer | undefined;
  let account: string | undefined;
  return {
    run: () => {
      const { tables, time, retention } = input;
      const isDue = isTidyingDue(input);
      if (isDue) tidyRecords(input);
      // By the store's time, which no step of the wall clock moves.
      const logs = tidyLogs(ordered(tables.sync), { after, principals: principalsAtOnce, retention, nowMs: time.nowMs() });
      const outward = tidyOutward(input, account);
      [after, account] = [logs.after, outward.after];
      return { changed: isDue || logs.changed || outward.changed, isRound: after === undefined && account === undefined };
    },
  };
}

type Walked = { /** Undefined: that was the last. */ readonly after: string | undefined; readonly changed: boolean };

/** Of accounts behind `after`, what webhooks were told and may not be told again. */
function tidyOutward({ tables, time, outwardBounds: bounds }: TidyInput, after: string | undefined): Walked {
  const table = ordered(tables.outward);
  const names = [...tables.rows.getKeys({ start: Buffer.from(`${accountRowKey(after ?? '')}\0`), end: Buffer.from('account0'), limit: accountsAtOnce })].map(
    (key) => key.toString('utf8', accountRowKey('').length),
  );
  const gone = names.filter((name) => forgetOutward(table, name, { bounds, nowMs: time.nowMs() }));
  return { after: names.length < accountsAtOnce ? undefined : names.at(-1), changed: gone.length > 0 };
}

/** Costs no write. */
const isTidyingDue = (input: TidyInput): boolean =>
  hasOldRecords(pruneInputOf(input)) || input.seen.hasAged(readHead(input.tables).sequence) || hasOldAnswers(input);

function tidyRecords(input: TidyInput): void {
  const { tables, seen } = input;
  const head = readHead(tables);
  seen.catchUp(head.sequence);
  seen.dropAged(head.sequence);
  forgetOldAnswers(input);
  const floor = prune(pruneInputOf(input));
  if (floor !== head.floor) writeRow(tables.rows, 'head', { ...head, floor });
}

const tidyEveryMs = 20_000;

export type Tidying = { readonly stop: () => Promise<void> };

/** `tidyOnce` resolves with whether it did something: then there may be more, and it is asked again at once. */
export function startTidying(
  tidyOnce: () => Promise<boolean>,
  { onTrouble, everyMs = tidyEveryMs }: { onTrouble: (error: unknown) => void; everyMs?: number | undefined },
): Tidying {
  const pause = createPause();
  let stopping = false;
  const run = async (): Promise<void> => {
    for (let isBusy = false; ; ) {
      if (!isBusy && !stopping) await pause.for(everyMs);
      if (stopping) return;
      isBusy = await tidyOnce().catch((error: unknown) => {
        onTrouble(error);
        return false;
      });
    }
  };
  const running = run();
  return {
    stop: () => {
      stopping = true;
      pause.end();
      return running;
    },
  };
}
