/** Whoever tells of something makes its event here, so that the same happening has the same id wherever and however often it is told. */
import { jsonText } from '#system/protocol/raw-json.ts';
import { digestKey } from './digest.ts';
import type { OutwardBounds, OutwardEvent } from './outward.ts';

export type OutwardNews = {
  readonly account: string;
  readonly type: string;
  /** What makes it this happening and no other, within its account and type. */
  readonly source: string;
  readonly atMs: number;
  readonly data: unknown;
};

export const outwardEvent = ({ account, type, source, atMs, data }: OutwardNews): OutwardEvent => ({
  // Without a dot, which Standard Webhooks keeps for what it signs.
  id: `evt_${digestKey(account, type, source).toString('hex')}`,
  type,
  atMs,
  body: jsonText({ type, timestamp: new Date(atMs).toISOString(), data }),
});

export const outwardBoundsDefault: OutwardBounds = { queueMax: 10_000, eventsMax: 100_000, retentionMs: 7 * 86_400_000 };
