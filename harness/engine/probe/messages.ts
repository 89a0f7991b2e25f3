// What the run's side and the probe's process say to each other. Any of it may be lost, doubled or late: whatever it is about, it names by number.
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';
import type { ProbePlan } from './instants.ts';

export type ProbeInput = {
  /** Names the probe's events apart from the engine's. */
  readonly run: string;
  readonly target: EngineTarget;
  readonly operationsModule: string;
  readonly operationsData?: unknown;
  readonly operation: string;
  readonly device: DeviceCredentials;
  readonly eventsPerBatch: number;
  readonly plan: ProbePlan;
  readonly timeoutMs: number;
  /** An instant that finds so many requests unanswered is left out, and said to be. */
  readonly openMax: number;
  /** The engine's origin, by process.hrtime: one monotonic clock serves all processes of a machine. Decimal text. */
  readonly originNs: string;
};

/** What became of one arrival. `unsent`: as many requests as may be open were. */
export type ProbeSample = {
  readonly arrival: number;
  readonly kind: 'good' | 'shed' | 'failed' | 'unsent';
  /** An `arrivalState`. */
  readonly state: number;
  /** Planned → first byte written; missing where nothing was written. */
  readonly behindMs?: number;
  /** First byte written → last byte read; only of good answers. */
  readonly serviceMicros?: number;
};

export type ProbeMessage =
  /** Instants before this arrival's were over when the process had come up. */
  | { readonly kind: 'begun'; readonly arrival: number }
  | { readonly kind: 'samples'; readonly samples: readonly ProbeSample[] }
  /** Every arrival before this one has been told of. */
  | { readonly kind: 'done'; readonly arrival: number }
  | { readonly kind: 'trouble'; readonly text: string };
