/** What becomes of a batch, whoever read it off the wire: judged, appended, and the text of its answer. */
import { hash } from 'node:crypto';
import type { Clock } from '#system/clock.ts';
import { Problem } from '#system/protocol/errors.ts';
import { limits } from '#system/protocol/limits.ts';
import type { AppendReceipt, DeviceRef, Store } from '#system/store/store.ts';
import type { Clocks } from './clocks.ts';
import { type Batch, parseBatch } from './validate.ts';

export type AcceptOptions = {
  readonly store: Pick<Store, 'append' | 'ackLevel'>;
  readonly clock: Clock;
  readonly clocks: Clocks;
  /** Until what it returns is called, an append of so many events is in work. */
  readonly appendBegan: (events: number) => () => void;
  /** Told how long an append took, its flush included. */
  readonly onAppended: (elapsedMs: number) => void;
};

export type ReadBatch = Extract<Batch, { readonly kind: 'batch' }>;

export type Offer = {
  readonly device: DeviceRef;
  readonly body: Buffer;
  readonly batch: ReadBatch;
  readonly idempotencyKey: string | undefined;
};

/** Throws the problem where the body is no batch. */
export function readBatch(body: Buffer): ReadBatch {
  const batch = parseBatch(body);
  switch (batch.kind) {
    case 'invalid-json':
      throw new Problem('invalid-json', 'The body is not JSON.');
    case 'not-a-batch':
      throw new Problem('bad-request', 'Send an array of events, or an object with "events".');
    case 'empty':
      throw new Problem('empty-batch', 'Send one event at least.');
    case 'too-many':
      throw new Problem('batch-too-large', `A batch has at most ${limits.eventsPerBatchMax} events.`);
    case 'batch':
      return batch;
  }
}

/** Resolves with the answer's body once the batch is durable; rejects with the problem, or as the store does. */
export type Accept = (offer: Offer) => Promise<string>;

export function createAccept(options: AcceptOptions): Accept {
  const { store, clock, clocks, appendBegan, onAppended } = options;
  return async ({ device: { account, device }, body, batch, idempotencyKey: key }) => {
    const { events, rejected, sentAtMs } = batch;
    const shownRejected = rejected.length === 0 ? '[]' : JSON.stringify(rejected);
    const begunMs = clock.monotonicMs();
    const appended = appendBegan(events.length);
    const result = await store
      .append({
        account,
        device,
        receivedAtMs: clock.wallMs(),
        events,
        rejectedCount: rejected.length,
        ...(key === undefined ? {} : { idempotency: { key, digest: hash('sha256', body, 'base64url'), note: shownRejected } }),
      })
      .finally(appended);
    onAppended(clock.monotonicMs() - begunMs);
    if (result.kind === 'idempotency-mismatch') {
      throw new Problem('idempotency-mismatch', 'This Idempotency-Key came with another body before.');
    }
    if (events.length === 0) throw new Problem('all-invalid', 'No event of the batch is valid.', { rejected });
    if (sentAtMs !== undefined) void clocks.compare({ account, device }, sentAtMs);
    return answerText(result, result.kind === 'replayed' ? result.note : shownRejected, store.ackLevel);
  };
}

/** The shape is known: a serialiser would look for it again. */
const answerText = ({ accepted, duplicate, position }: AppendReceipt, rejected: string, durability: string): string =>
  `{"accepted":${accepted},"duplicate":${duplicate},"rejected":${rejected},"position":"${position}","durability":"${durability}"}`;
