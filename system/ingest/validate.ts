/** From a body's bytes to accepted events and named rejections. Pure. */
import { isUtf8 } from 'node:buffer';
import { parseInstant } from '#system/protocol/instant.ts';
import type { Span } from '#system/protocol/json-spans.ts';
import { limits } from '#system/protocol/limits.ts';
import { oneLine } from '#system/protocol/one-line.ts';
import { eventTypes, type RejectionCode } from '#system/protocol/schemas.ts';
import type { AppendEvent } from '#system/store/store.ts';
import { itemSpans } from './item-spans.ts';

export type Rejection = { readonly index: number; readonly id: string | null; readonly code: RejectionCode };
export type Batch =
  | {
      readonly kind: 'batch';
      readonly events: readonly AppendEvent[];
      readonly rejected: readonly Rejection[];
      /** By the device's clock; undefined where it did not say. */
      readonly sentAtMs: number | undefined;
    }
  | { readonly kind: 'invalid-json' }
  | { readonly kind: 'not-a-batch' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'too-many' };

const types = new Set<unknown>(eventTypes);

export function parseBatch(body: Buffer): Batch {
  if (!isUtf8(body)) return { kind: 'invalid-json' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return { kind: 'invalid-json' };
  }
  const items = Array.isArray(parsed) ? parsed : typeof parsed === 'object' && parsed !== null ? (parsed as { events?: unknown }).events : undefined;
  if (!Array.isArray(items)) return { kind: 'not-a-batch' };
  if (items.length === 0) return { kind: 'empty' };
  if (items.length > limits.eventsPerBatchMax) return { kind: 'too-many' };
  const events: AppendEvent[] = [];
  const rejected: Rejection[] = [];
  const spans = itemSpans(body);
  for (let index = 0; index < items.length; index++) {
    const item: unknown = items[index];
    const { start, end } = spans[index] as Span;
    const code = judgeEvent(item) ?? (end - start > limits.eventBytesMax ? 'item-too-large' : undefined);
    if (code !== undefined) rejected.push({ index, id: idOf(item), code });
    // As it came, but for its line breaks: what is read and written again may be another number.
    else events.push({ id: (item as { id: string }).id, bytes: oneLine(body.subarray(start, end)) });
  }
  return { kind: 'batch', events, rejected, sentAtMs: items === parsed ? undefined : instantOf((parsed as { sent_at?: unknown }).sent_at) };
}

const instantOf = (text: unknown): number | undefined => (typeof text === 'string' ? parseInstant(text) : undefined);

const idOf = (item: unknown): string | null => {
  const id = (item as { id?: unknown } | null)?.id;
  return typeof id === 'string' ? id.slice(0, limits.eventIdCharactersMax).toWellFormed() : null;
};

function judgeEvent(item: unknown): RejectionCode | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return 'bad-item';
  const { id, type, recorded_at, data } = item as Record<string, unknown>;
  if (typeof id !== 'string' || id.length === 0 || id.length > limits.eventIdCharactersMax || !id.isWellFormed()) return 'bad-id';
  if (!types.has(type)) return 'bad-type';
  if (typeof recorded_at !== 'string' || parseInstant(recorded_at) === undefined) return 'bad-time';
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return 'bad-data';
  return type === 'location' && !isPlace(data as Record<string, unknown>) ? 'bad-data' : undefined;
}

const isPlace = ({ lat, lon }: Record<string, unknown>): boolean =>
  typeof lat === 'number' && lat >= -90 && lat <= 90 && typeof lon === 'number' && lon >= -180 && lon <= 180;
