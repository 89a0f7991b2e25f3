/** What the parts of the hub share. */
import type { Writable } from 'node:stream';
import type { Clock } from '#system/clock.ts';
import type { DeviceRef, FoundChanges, LogKey, Store, TokenEnd } from '#system/store/store.ts';
import type { Form } from './encode.ts';
import type { Sign } from './signs.ts';
import type { States, Watching } from './states.ts';
import type { Subscriber } from './subscriber.ts';
import type { Topics } from './topics.ts';
import type { Wheel } from './wheel.ts';

export type StreamSettings = {
  /** A stream lives for this long and at most as long again. */
  readonly ageMs: number;
  readonly positionCheckMs: number;
  /** A device whose own stream is open is online; this long after it ended it is not. */
  readonly presenceTimeoutMs: number;
  /** Of [0, 1); Math.random without it. */
  readonly random?: () => number;
};

export type Opening = {
  /** A socket, or what is read inside the process. */
  readonly socket: Writable;
  /** Status line and headers, as they go out. */
  readonly headers: string;
  readonly form: Form;
  readonly account: string;
  readonly log: LogKey | undefined;
  /** Log channels. */
  readonly channels: readonly string[];
  readonly watching: Watching | undefined;
  readonly device: string | undefined;
  /** Of the token that opened it; undefined where that was no device's. */
  readonly generation: number | undefined;
  /** Once, whatever ends it. */
  readonly onEnded: (() => void) | undefined;
  /** What was read after the cursor; undefined without a log. */
  readonly first: FoundChanges | undefined;
  readonly from: string | undefined;
  readonly resumed: boolean;
  readonly connectionId: string;
  readonly heartbeatMs: number;
  /** By the wall clock. */
  readonly expiresAtMs: number | undefined;
};

/** Plain numbers: a counter of a frame must not cost more than the frame. */
export type StreamCounts = {
  opened: number;
  frames: number;
  heartbeats: number;
  bytes: number;
  /** Topics that a position check found behind. */
  catchUps: number;
  readonly ended: Record<string, number>;
};

export type HubOptions = {
  readonly store: Store;
  readonly clock: Clock;
  readonly settings: StreamSettings;
  readonly onTrouble: (error: unknown) => void;
  /** Accounts whose devices somebody watches here. */
  readonly onWatch: (accounts: readonly string[]) => Promise<void>;
  /** Devices that came online by their streams. */
  readonly onAppeared: (devices: readonly DeviceRef[]) => void;
};

export type Kit = HubOptions & {
  readonly wheel: Wheel<Subscriber>;
  readonly counts: StreamCounts;
  readonly subscribers: Set<Subscriber>;
  readonly topics: () => Topics;
  readonly states: States;
  readonly random: () => number;
  readonly emptied: { notify: () => void };
  /** Of streams that ended since the last tick, by account and device. */
  readonly endSigns: Map<string, Sign>;
  /** Devices whose streams of an older generation the next tick ends, by account and device. */
  readonly kicked: Map<string, number>;
  /** Undefined before a drain. */
  drain: Drain | undefined;
};

export type Drain = {
  readonly endsAtMs: number;
  readonly retryMsMax: number;
  /** Whoever comes back before the window's end finds another process that listens. */
  readonly othersListen: boolean;
};

/** As the bus brings it. */
export type News =
  | { readonly kind: 'poke'; readonly keys: readonly LogKey[] }
  /** Their latest location or presence is another one now. */
  | { readonly kind: 'devices'; readonly devices: readonly DeviceRef[] }
  /** Their registration is another one now, or about to be. */
  | { readonly kind: 'registrations'; readonly devices: readonly DeviceRef[] }
  /** A process ended that may have had news of devices. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'ended-tokens'; readonly ended: readonly TokenEnd[] };
