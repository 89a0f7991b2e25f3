/** One connection that listens. */
import type { Writable } from 'node:stream';
import type { ByeCode } from '#system/protocol/frames.ts';
import type { ChangePosition, LogKey } from '#system/store/store.ts';
import type { Form } from './encode.ts';
import type { Watching } from './states.ts';

/** `closing`: bye was said, and the client has a moment to read it. */
export type SubscriberState = 'replaying' | 'live' | 'closing' | 'ended';

/** Times are milliseconds of the monotonic clock. Small on purpose: there are ten thousands. */
export type Subscriber = {
  /** Of the wheel. */
  bucket: number;
  state: SubscriberState;
  readonly socket: Writable;
  readonly form: Form;
  readonly account: string;
  /** Undefined: no log channel. */
  readonly log: LogKey | undefined;
  /** Its log channels. Shared by all that listen to the same. */
  readonly filter: ReadonlySet<string>;
  epoch: string;
  position: ChangePosition;
  readonly heartbeatMs: number;
  lastWriteMs: number;
  endsAtMs: number;
  endCode: ByeCode;
  endRetryMs: number;
  readonly expiresAtMs: number;
  /** 0: what was written is out of this process. */
  undrainedSinceMs: number;
  onDrain: (() => void) | undefined;
  /** State channels; undefined without any. */
  readonly watching: Watching | undefined;
  /** Whose own stream it is: it keeps the device online. */
  readonly device: string | undefined;
  readonly generation: number | undefined;
  readonly onEnded: (() => void) | undefined;
};

/** What was written is out of this process, or its socket is closed. */
export const drained = (subscriber: Subscriber): Promise<void> =>
  new Promise((resolve) => {
    subscriber.onDrain = () => {
      subscriber.onDrain = undefined;
      resolve();
    };
  });

const filters = new Map<string, ReadonlySet<string>>();
const filtersMax = 10_000;

/** The same set for the same channels, so that it can be a key. */
export function filterOf(channels: readonly string[]): ReadonlySet<string> {
  const sorted = [...new Set(channels)].sort();
  const name = sorted.join(' ');
  const present = filters.get(name);
  if (present !== undefined) return present;
  if (filters.size >= filtersMax) filters.clear();
  const filter: ReadonlySet<string> = new Set(sorted);
  filters.set(name, filter);
  return filter;
}
