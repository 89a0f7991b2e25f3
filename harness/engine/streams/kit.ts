/** What all members of a holder share, and what a member is to its holder. */
import type { Stops } from '#harness/engine/native/stops.ts';
import type { Wire } from '#harness/engine/native/wire/wire.ts';
import type { StreamCounts, StreamTimeName } from '#harness/run-result.ts';
import type { Population } from '#harness/target/item-laws.ts';
import type { OperationRequest } from '#harness/target/operation.ts';
import type { StreamFormat } from '#harness/target/stream-formats.ts';
import type { Frame } from '#system/protocol/frames.ts';
import type { LagBook } from './lag-book.ts';
import type { ReconnectLaw } from './reconnect.ts';
import type { CellKey, StreamRecorder } from './stream-recorder.ts';
import { newView, type View } from './view.ts';

/** A reader of the scenario with everything said; durations are real ones, the clock's scale taken out. */
export type ReaderPlan = {
  readonly name: string;
  readonly channels: readonly string[];
  readonly way: { readonly kind: 'stream'; readonly heartbeatMs: number; readonly as: StreamFormat } | { readonly kind: 'poll'; readonly everyMs: number };
  readonly pace: { readonly kind: 'normal' } | { readonly kind: 'slow'; readonly bytesPerSecond: number } | { readonly kind: 'stopped' };
  readonly reconnect: ReconnectLaw;
  /** Most that are ever held, over all processes. */
  readonly count: number;
};

export type Kit = {
  readonly run: string;
  readonly population: Population;
  /** One for each address; a listener that comes back takes the next. */
  readonly wires: readonly Wire[];
  readonly writers: readonly ((request: OperationRequest) => string)[];
  readonly nowMs: () => number;
  readonly chance: () => number;
  readonly stops: Stops;
  /** Looks for a stop of ours before what has just happened counts; gives the time. */
  readonly observe: () => number;
  readonly recorder: StreamRecorder;
  readonly lags: LagBook;
  /** By a member's place: when it wants to be attended to. Infinity: never. */
  readonly dueMs: Float64Array;
  /** How much faster than the scenario's the clock runs. */
  readonly scale: number;
  /** A device that keeps itself online by its stream was closed. */
  readonly onSilenced: ((device: number, closed: { readonly atMs: number; readonly reader: number }) => void) | undefined;
  /** A frame of a state channel. */
  readonly onState: (frame: Frame, atMs: number) => void;
};

export type MemberStart = {
  readonly kit: Kit;
  readonly place: number;
  /** Index into the readers, and its plan. */
  readonly reader: number;
  readonly plan: ReaderPlan;
  /** Over all processes. */
  readonly index: number;
  /** −1: nobody's; a watcher of an account. */
  readonly user: number;
  /** Whose own token it uses; undefined where it uses its user's. */
  readonly device: number | undefined;
  readonly authorization: string;
};

/** `waiting`: away, until its law lets it try again. */
export type Standing = 'idle' | 'live' | 'opening' | 'waiting';

export type Member = MemberStart & {
  readonly view: View;
  readonly standing: () => Standing;
  readonly start: () => void;
  readonly stop: () => void;
  readonly attend: (nowMs: number) => void;
  /** Reads as everybody does from now on. */
  readonly release: () => void;
};

/** What listeners and pollers have in common: who they are, and when they want to be attended to. */
export abstract class Person implements MemberStart {
  readonly kit: Kit;
  readonly place: number;
  readonly reader: number;
  readonly plan: ReaderPlan;
  readonly index: number;
  readonly user: number;
  readonly device: number | undefined;
  readonly authorization: string;
  readonly view: View = newView();

  constructor({ kit, place, reader, plan, index, user, device, authorization }: MemberStart) {
    this.kit = kit;
    this.place = place;
    this.reader = reader;
    this.plan = plan;
    this.index = index;
    this.user = user;
    this.device = device;
    this.authorization = authorization;
  }

  protected due(atMs: number): void {
    this.kit.dueMs[this.place] = atMs;
  }
}

/** Counts in the second of an instant. `sinceMs`: what was going on since then; a stop of ours in between makes it doubtful. */
export function note(
  { kit, reader }: Pick<Member, 'kit' | 'reader'>,
  name: keyof StreamCounts,
  { atMs, by = 1, sinceMs = Number.POSITIVE_INFINITY }: { readonly atMs: number; readonly by?: number; readonly sinceMs?: number },
): void {
  kit.recorder.at(kit.recorder.keyAt(atMs, reader)).count(name, by, kit.stops.touched(sinceMs));
}

export function noteTime(kit: Kit, name: StreamTimeName, key: CellKey, time: { readonly ms: number; readonly sinceMs: number }): void {
  kit.recorder.at(key).time(name, time.ms, kit.stops.touched(time.sinceMs));
}

/** The generator's own limits: such a failure says nothing about the target. */
const ownLimitCodes: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);
export const isOwnLimit = (code: string): boolean => ownLimitCodes.has(code);

/** As the report says it: a goodbye of TCP told apart from a reset. */
export const closeWord = (code: string): string => (code === 'closed' ? 'fin' : code === 'ECONNRESET' ? 'rst' : code);
