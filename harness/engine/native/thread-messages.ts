// What the engine's main side and its threads say to each other.
import type { SecondDelta } from '#harness/run-result.ts';
import type { WireChoice } from './wire/wire.ts';
import type { WorkerInput } from './worker-input.ts';

export type EngineThreadData = {
  readonly input: WorkerInput;
  readonly operationsModule: string;
  readonly operationsData?: unknown;
  readonly originNs: bigint;
  readonly originWallMs: number;
  /** Never sleep shorter: what is due within it is fired together. Undefined: as suits the wire. */
  readonly sleepMinMs: number | undefined;
  /** The thread naps by itself where arrivals are nearer to each other than this on average. */
  readonly napBelowMs: number;
  readonly wire: WireChoice;
  readonly paceMemory: SharedArrayBuffer;
  readonly states: SharedArrayBuffer;
  readonly times: SharedArrayBuffer;
};

export type ToThread =
  | { readonly kind: 'drive'; readonly phase: number; readonly startMs: number }
  | { readonly kind: 'cut'; readonly phase: number }
  | { readonly kind: 'finish' }
  | { readonly kind: 'end' };

export type FromThread =
  | { readonly kind: 'ready'; readonly wire: string }
  /** It cannot sleep by itself: the pacing thread has to call it. */
  | { readonly kind: 'call-me' }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'phase-ended'; readonly phase: number }
  | { readonly kind: 'delta'; readonly delta: SecondDelta }
  /** Of each phase: when a late request last left the queue. */
  | { readonly kind: 'finished'; readonly queuedUntilMs: readonly number[] };
