/** What a receiver counts. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { confirmationType } from '#system/protocol/webhooks.ts';
import type { Hit } from './receiver.ts';

export type ReceiverCounts = {
  readonly hits: number;
  readonly challenges: number;
  /** Ids of events, however often each came. */
  readonly deliveries: number;
  /** Of them, those that came more than once. */
  readonly repeated: number;
  /** Hits whose signature none of the expected secrets made; 0 where none is expected. */
  readonly unsigned: number;
  /** By type, first arrivals only. */
  readonly types: Readonly<Record<string, number>>;
  /** From an event's `timestamp` to its first arrival, in order; of at most 200,000. */
  readonly delaysMs: readonly number[];
};

export type Counter = {
  readonly expect: (secret: string) => void;
  readonly add: (hit: Hit) => void;
  readonly read: () => ReceiverCounts;
};

const delaysMax = 200_000;

export function createCounter(): Counter {
  const seen = new Map<string, number>();
  const secrets: string[] = [];
  const types: Record<string, number> = {};
  const delaysMs: number[] = [];
  const sums = { hits: 0, challenges: 0, unsigned: 0 };
  return {
    expect: (secret) => void secrets.push(secret),
    add: (hit) => {
      sums.hits++;
      if (secrets.length > 0 && !secrets.some((secret) => isSignedBy(secret, hit))) sums.unsigned++;
      if (hit.type === confirmationType) {
        sums.challenges++;
        return;
      }
      const before = seen.get(hit.id) ?? 0;
      seen.set(hit.id, before + 1);
      if (before > 0) return;
      types[hit.type] = (types[hit.type] ?? 0) + 1;
      const happenedMs = Date.parse((JSON.parse(hit.body || '{}') as { timestamp?: string }).timestamp ?? '');
      if (!Number.isNaN(happenedMs) && delaysMs.length < delaysMax) delaysMs.push(hit.wallMs - happenedMs);
    },
    read: () => ({
      ...sums,
      deliveries: seen.size,
      repeated: [...seen.values()].filter((times) => times > 1).length,
      types,
      delaysMs: [...delaysMs],
    }),
  };
}

/** Written from the standard's text, not shared with the service: one that signs wrongly must not be believed. */
export function isSignedBy(secret: string, { headers, body, id }: Pick<Hit, 'headers' | 'body' | 'id'>): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const wanted = createHmac('sha256', key).update(`${id}.${headers['webhook-timestamp']}.${body}`).digest();
  return (headers['webhook-signature'] ?? '').split(' ').some((one) => {
    const [version, text = ''] = one.split(',');
    const given = Buffer.from(text, 'base64');
    return version === 'v1' && given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}
