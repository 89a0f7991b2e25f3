/** What an answer means for its delivery. Pure: time and chance are arguments. */
import type { AttemptOutcome } from '#system/store/store.ts';
import type { SendAnswer } from './send.ts';

export type Judging = {
  /** Made before this one. */
  readonly attempt: number;
  readonly scheduleMs: readonly number[];
  /** Of the store, for the next attempt. */
  readonly nowMs: number;
  /** For a date that the answer names. */
  readonly wallMs: number;
  /** Of [0, 1). */
  readonly random: number;
};

/** A server cannot put its delivery off for ever. */
export const retryAfterMsMax = 86_400_000;
/** Who is overloaded wants nothing at all for a while, not only not this. */
const pausing: readonly number[] = [429, 502, 503, 504];

export function judge(answer: SendAnswer, { attempt, scheduleMs, nowMs, wallMs, random }: Judging): AttemptOutcome {
  const status = answer.kind === 'answered' ? answer.status : undefined;
  if (status !== undefined && status >= 200 && status < 300) return { kind: 'delivered' };
  if (status === 410) return { kind: 'gone' };
  const longestMs = scheduleMs[attempt + 1];
  if (longestMs === undefined) return { kind: 'dead' };
  const askedMs = answer.kind === 'answered' ? readRetryAfter(answer.retryAfter, wallMs) : undefined;
  const atMs = nowMs + Math.max(Math.round(random * longestMs), askedMs ?? 0);
  return askedMs !== undefined && status !== undefined && pausing.includes(status)
    ? { kind: 'retry', atMs, pauseUntilMs: nowMs + askedMs }
    : { kind: 'retry', atMs };
}

/** Seconds, or a date (RFC 9110 §10.2.3); undefined for anything else. */
export function readRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(retryAfterMsMax, Math.max(0, ms));
}
