// What the run's side and the processes that hold streams say to each other.
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { WireChoice } from '#harness/engine/native/wire/wire.ts';
import type { Acknowledgements, StreamDelta } from '#harness/run-result.ts';
import type { Population } from '#harness/target/item-laws.ts';
import type { ReaderPlan } from './kit.ts';
import type { LogEntry } from './view.ts';

export type HolderInput = {
  readonly process: number;
  readonly processes: number;
  /** In nanoseconds, as text: IPC carries no BigInt. */
  readonly originNs: string;
  readonly run: string;
  readonly seed: number;
  readonly population: Population;
  readonly scale: number;
  readonly targets: readonly EngineTarget[];
  readonly readers: readonly ReaderPlan[];
  readonly credential: 'device' | 'user';
  /** Authorization headers by device or by user. */
  readonly authorizations: readonly string[];
  /** Authorization headers of accounts whose devices are watched; of one process only. */
  readonly watchers: readonly string[];
  readonly reportsSilenced: boolean;
  readonly wire: WireChoice;
};

export type PhaseStart = {
  readonly phase: number;
  readonly startMs: number;
  /** Of the readers that change their number. */
  readonly population: readonly { readonly reader: number; readonly target: number; readonly perSecond: number }[];
};

/** A user's log as it was read back, for the listeners of that user. */
export type UserLog = { readonly user: number; readonly entries: readonly LogEntry[] };

export type ToHolder =
  | { readonly kind: 'begin'; readonly input: HolderInput }
  | ({ readonly kind: 'phase' } & PhaseStart)
  | { readonly kind: 'acknowledged'; readonly acknowledged: Acknowledgements }
  | { readonly kind: 'release' }
  | { readonly kind: 'compare'; readonly logs: readonly UserLog[]; readonly withinMs: number }
  | { readonly kind: 'finish' };

/** One listener that saw another number of changes than its user's log has. */
export type AccusedReader = { readonly reader: string; readonly index: number; readonly user: number; readonly lost: number; readonly duplicated: number };

/** Sums over the listeners of one process. */
export type Comparison = {
  readonly readers: number;
  readonly expected: number;
  readonly seen: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly examples: readonly { readonly kind: 'lost' | 'duplicated'; readonly text: string }[];
  /** Whose log has to be asked for once more; of one process at most 1,000. */
  readonly accused: readonly AccusedReader[];
};

/** Of the members of one process: how many there should be in the end, and how they stand. */
export type PopulationNow = { readonly wanted: number; readonly live: number; readonly opening: number; readonly waiting: number };

export type FromHolder =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'delta'; readonly delta: StreamDelta; readonly now: PopulationNow }
  | { readonly kind: 'silenced'; readonly device: number; readonly atMs: number; readonly reader: number }
  | { readonly kind: 'presence'; readonly device: number; readonly online: boolean; readonly atMs: number }
  | { readonly kind: 'compared'; readonly comparison: Comparison }
  | { readonly kind: 'finished' };
