/** The append unit: what a transaction's commands accept goes into one record; counters and the head are written once a transaction. */

import { digestBytes, digestKey } from '#system/store/digest.ts';
import { addUsage, forgetMarks, type UsageGain } from '#system/store/ordered-usage.ts';
import { type AppendCommand, type AppendReceipt, type AppendResult, dayOf } from '#system/store/store.ts';
import type { StoreTime } from '#system/store/store-time.ts';
import type { Ages } from './ages.ts';
import { currentGeneration } from './answers.ts';
import { type BlockView, encodeRecord, positionOf, sequenceKey, thinBlock, viewBlock } from './codec.ts';
import { ordered } from './lmdb-changes.ts';
import type { Marks } from './marks.ts';
import { prune } from './prune.ts';
import type { Seen } from './seen.ts';
import { type Generation, type Head, readHead, readRow, type Tables, type Tally, writeRow } from './tables.ts';

/** What an append carries besides its block. */
export type AppendExtra = Pick<AppendCommand, 'rejectedCount' | 'idempotency'>;
type Answer = AppendReceipt & { readonly digest: string; readonly note: string };

type Gain = { -readonly [K in keyof UsageGain]: UsageGain[K] };

/** What the commands of one transaction gather before it is written: never more events than one record holds. */
export type AppendGroup = {
  readonly append: (bytes: Buffer, start: number, extra: AppendExtra) => AppendResult;
  readonly finish: () => void;
};

export type AppendGroupInput = {
  readonly tables: Tables;
  readonly seen: Seen;
  readonly marks: Marks;
  readonly ages: Ages;
  readonly time: StoreTime;
  readonly dedupeHours: number;
  /** Records that have been there for this long are pruned. */
  readonly hotWindowMs: number;
  /** Not before they are archived. */
  readonly isArchived: boolean;
};

/** Looking costs a read of every partition's row; each look may take away twice as many records as came since. */
const recordsBetweenPrunes = 32;
const marksForgottenAtOnce = 256;

export function beginAppends({ tables, seen, marks, ages, time, dedupeHours, hotWindowMs, isArchived }: AppendGroupInput): AppendGroup {
  const head = readHead(tables);
  const sequence = head.sequence + 1;
  const accepted = [...head.accepted];
  const blocks: Buffer[] = [];
  const tallies = new Map<string, { accepted: number; duplicate: number; rejected: number }>();
  const usage = ordered(tables.usage);
  const gains = new Map<string, Gain>();
  let generation: Generation | undefined;
  let index = 0;
  let receivedAtMs = 0;
  seen.catchUp(head.sequence);

  function append(bytes: Buffer, start: number, { idempotency, rejectedCount }: AppendExtra): AppendResult {
    const block = viewBlock(bytes, start);
    const scope = idempotency && digestKey(block.account, block.device, idempotency.key);
    if (scope && idempotency) {
      generation ??= currentGeneration({ tables, time, dedupeHours });
      const before = readRow<Answer>(tables.answers[0], scope) ?? readRow<Answer>(tables.answers[1], scope);
      if (before !== undefined && before.digest !== idempotency.digest) return { kind: 'idempotency-mismatch' };
      if (before !== undefined)
        return { kind: 'replayed', note: before.note, accepted: before.accepted, duplicate: before.duplicate, position: before.position };
    }
    const fresh = take(bytes, block);
    const position = index > 0 ? positionOf(sequence, index - 1) : head.position;
    const receipt = { accepted: fresh, duplicate: block.count - fresh, position };
    count(block.account, receipt, rejectedCount);
    if (scope && idempotency && generation) {
      writeRow(tables.answers[generation.young], scope, { digest: idempotency.digest, note: idempotency.note, ...receipt });
    }
    return { kind: 'appended', ...receipt };
  }

  /** Returns how many of the block's events are new; those join the record. */
  function take(bytes: Buffer, block: BlockView): number {
    const kept = new Set<number>();
    for (let i = 0; i < block.count; i++) if (seen.note(bytes, block.digestsAt + i * digestBytes)) kept.add(i);
    if (kept.size === 0) return 0;
    if (blocks.length === 0) receivedAtMs = block.receivedAtMs;
    blocks.push(kept.size === block.count ? bytes.subarray(block.start, block.end) : thinBlock(bytes, block, kept));
    accepted[block.partition] = (accepted[block.partition] ?? 0) + kept.size;
    index += kept.size;
    meter(block, kept.size);
    return kept.size;
  }

  function meter({ account, device, receivedAtMs: atMs }: BlockView, events: number): void {
    const day = dayOf(atMs);
    const name = `${account}\0${day}`;
    let gain = gains.get(name);
    if (gain === undefined) {
      gain = { account, day, events: 0, registrations: 0, activeDevices: 0 };
      gains.set(name, gain);
    }
    gain.events += events;
    if (marks.note(usage, day, { account, device })) gain.activeDevices++;
  }

  function count(account: string, { accepted: gained, duplicate }: AppendReceipt, rejected: number): void {
    const tally = tallies.get(account) ?? { accepted: 0, duplicate: 0, rejected: 0 };
    tally.accepted += gained;
    tally.duplicate += duplicate;
    tally.rejected += rejected;
    tallies.set(account, tally);
  }

  function finish(): void {
    if (blocks.length > 0) {
      ages.mark(head.sequence);
      tables.log.putSync(sequenceKey(sequence), encodeRecord(blocks));
      if (sequence % recordsBetweenPrunes === 0) forgetMarks(usage, { before: dayOf(receivedAtMs) - 1, limit: marksForgottenAtOnce });
      const pruning = { tables, time, head: { sequence, floor: head.floor, accepted }, sealedThrough: seen.sealedThrough(), isArchived };
      const floor = sequence % recordsBetweenPrunes === 0 ? prune({ ...pruning, beforeMs: time.nowMs() - hotWindowMs }) : head.floor;
      writeRow(tables.rows, 'head', { sequence, position: positionOf(sequence, index - 1), floor, accepted } satisfies Head);
    }
    for (const gain of gains.values()) addUsage(usage, gain);
    seen.beforeCommit(blocks.length > 0 ? { sequence, receivedAtMs } : undefined);
    for (const [account, gain] of tallies) {
      const before = readRow<Tally>(tables.rows, `tally/${account}`) ?? { accepted: 0, duplicate: 0, rejected: 0 };
      writeRow(tables.rows, `tally/${account}`, {
        accepted: before.accepted + gain.accepted,
        duplicate: before.duplicate + gain.duplicate,
        rejected: before.rejected + gain.rejected,
      } satisfies Tally);
    }
  }

  return { append, finish };
}
