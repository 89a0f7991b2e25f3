/** The append unit: what a group's commands accept goes into one record; counters and the head are written once a group. */
import { type AppendCommand, type AppendReceipt, type AppendResult, partitionOf } from '#system/store/store.ts';
import { type Block, encodeRecord, maxEventsPerRecord, positionOf, sequenceKey } from './codec.ts';
import { digestKey, type Generation, type Head, readHead, readRow, type Table, type Tables, type Tally, writeRow } from './tables.ts';

type Answer = AppendReceipt & { readonly digest: string; readonly note: string };

/** What the commands of one transaction gather before it is written. */
export type AppendGroup = {
  readonly append: (command: AppendCommand) => AppendResult;
  readonly finish: () => void;
};

const nothing = Buffer.from([1]);

export function beginAppends(tables: Tables, generation: Generation): AppendGroup {
  let head: Head | undefined;
  let index = 0;
  let blocks: Block[] = [];
  const tallies = new Map<string, { accepted: number; duplicate: number; rejected: number }>();
  const young = tables.seen[generation.young];
  const old = tables.seen[generation.young === 0 ? 1 : 0];

  function flushRecord(): void {
    if (!head || blocks.length === 0) return;
    tables.log.putSync(sequenceKey(head.sequence + 1), encodeRecord(blocks));
    const accepted = [...head.accepted];
    for (const block of blocks) accepted[block.partition] = (accepted[block.partition] ?? 0) + block.events.length;
    head = { ...head, sequence: head.sequence + 1, position: positionOf(head.sequence + 1, index - 1), accepted };
    blocks = [];
    index = 0;
  }

  function append(command: AppendCommand): AppendResult {
    const { account, device, idempotency } = command;
    const scope = idempotency && digestKey(account, device, idempotency.key);
    const before = scope && (readRow<Answer>(tables.answers[0], scope) ?? readRow<Answer>(tables.answers[1], scope));
    if (before && idempotency) {
      if (before.digest !== idempotency.digest) return { kind: 'idempotency-mismatch' };
      return { kind: 'replayed', note: before.note, accepted: before.accepted, duplicate: before.duplicate, position: before.position };
    }
    head ??= readHead(tables);
    if (index + command.events.length > maxEventsPerRecord) flushRecord();
    const fresh = command.events.filter(({ id }) => {
      const key = digestKey(account, device, id);
      return !old.doesExist(key) && putOnce(young, key);
    });
    if (fresh.length > 0) {
      blocks.push({ partition: partitionOf(account, device), account, device, receivedAtMs: command.receivedAtMs, events: fresh });
      index += fresh.length;
    }
    const position = index > 0 ? positionOf(head.sequence + 1, index - 1) : head.position;
    const receipt = { accepted: fresh.length, duplicate: command.events.length - fresh.length, position };
    count(account, receipt, command.rejectedCount);
    if (scope && idempotency) writeRow(tables.answers[generation.young], scope, { digest: idempotency.digest, note: idempotency.note, ...receipt });
    return { kind: 'appended', ...receipt };
  }

  function count(account: string, { accepted, duplicate }: AppendReceipt, rejected: number): void {
    const tally = tallies.get(account) ?? { accepted: 0, duplicate: 0, rejected: 0 };
    tally.accepted += accepted;
    tally.duplicate += duplicate;
    tally.rejected += rejected;
    tallies.set(account, tally);
  }

  function finish(): void {
    flushRecord();
    if (head) writeRow(tables.rows, 'head', head);
    for (const [account, gain] of tallies) {
      const before = readRow<Tally>(tables.rows, `tally/${account}`) ?? { accepted: 0, duplicate: 0, rejected: 0 };
      writeRow(tables.rows, `tally/${account}`, {
        accepted: before.accepted + gain.accepted,
        duplicate: before.duplicate + gain.duplicate,
        rejected: before.rejected + gain.rejected,
      });
    }
  }

  return { append, finish };
}

/** Two generations, each written for `dedupeHours`: what was seen is known for at least one of them, and forgetting is one drop. */
export function currentGeneration(tables: Tables, nowMs: number, dedupeHours: number): Generation {
  const present = readRow<Generation>(tables.rows, 'generation');
  if (present && nowMs - present.bornMs < dedupeHours * 3_600_000) return present;
  const next: Generation = { young: present?.young === 0 ? 1 : 0, bornMs: nowMs };
  tables.seen[next.young].clearSync();
  tables.answers[next.young].clearSync();
  writeRow(tables.rows, 'generation', next);
  return next;
}

/** One native call that looks and writes: false where the key is there. */
function putOnce(table: Table, key: Buffer): boolean {
  // Declared void, but inside a transaction it says whether it wrote.
  return table.putSync(key, nothing, { noOverwrite: true }) as unknown as boolean;
}
