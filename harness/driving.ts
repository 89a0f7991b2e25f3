import type { ArrivalPhase, Engine, EngineOutcome, EngineRun } from '#harness/engine/engine.ts';
import type { WireChoice } from '#harness/engine/native/wire/wire.ts';
import type { Probe } from '#harness/engine/probe/probe.ts';
import type { ProbeOutcome } from '#harness/engine/probe/probe-book.ts';
import type { FitCheck } from '#harness/fit/fit-check.ts';
import type { CellFold } from '#harness/metrics/fold.ts';
import type { EvennessFold } from '#harness/metrics/fold-evenness.ts';
import type { Watch, Watched } from '#harness/metrics/watch.ts';
import type { Cell, Evenness, FaultRecord, PhaseRecord, StreamCell, WebhookCell, WorkerLag } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import type { DeviceCredentials, ItemContext } from '#harness/target/operation.ts';
import type { Faults } from './drive-faults.ts';
import type { DrivenStreams } from './drive-streams.ts';
import type { DrivenWebhooks } from './drive-webhooks.ts';
import type { Target } from './topology/target.ts';

export type DriveInput = {
  /** Of those who listen; the engine has been told. */
  readonly wire: WireChoice;
  /** With its clock taken out. */
  readonly scenario: Scenario;
  readonly scale: number;
  readonly seed: number;
  readonly run: string;
  readonly probeRun: string;
  readonly target: Target;
  readonly engine: Engine;
  readonly devices: readonly DeviceCredentials[];
  /** Missing where nobody writes items or listens. */
  readonly listening: Listening | undefined;
  /** Already there: its endpoints are confirmed. */
  readonly webhooks: DrivenWebhooks | undefined;
  /** Undefined where the load has no operation that it could send. */
  readonly probeDevice: DeviceCredentials | undefined;
  readonly phases: readonly ArrivalPhase[];
  readonly operationsModule: string;
  readonly operationsData?: unknown;
  /** Which of them the probe sends. */
  readonly probeOperation: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onKill: (kill: () => void) => void;
  readonly onSecond: (second: DrivenSecond) => void;
  /** Missing where nobody asks whether this machine can hold the plan. */
  readonly fitCheck?: FitCheck | undefined;
  /** Asked once a second: the metric of an abort threshold that cannot hold any more. */
  readonly abortedBy: (
    soFar: { readonly cells: () => readonly Cell[]; readonly streamCells: () => readonly StreamCell[]; readonly webhookCells: () => readonly WebhookCell[] },
    phases: readonly PhaseRecord[],
  ) => string | undefined;
};

/** Who listens, and with what. Authorization headers of users by index, and of accounts. */
export type Listening = { readonly items: ItemContext; readonly users: readonly string[]; readonly accounts: readonly string[] };

export type DrivenSecond = {
  readonly elapsedSeconds: number;
  readonly phase: number;
  readonly phaseElapsedSeconds: number;
  /** Of the last whole second. */
  readonly cells: readonly Cell[];
  readonly allCells: () => readonly Cell[];
  readonly streams?: { readonly cells: readonly StreamCell[]; readonly allCells: () => readonly StreamCell[] };
  readonly webhooks?: { readonly cells: readonly WebhookCell[]; readonly allCells: () => readonly WebhookCell[] };
  readonly generatorCores: number | undefined;
  readonly systemCores: number | undefined;
  readonly stealShare: number | undefined;
};

export type Driven = {
  /** Wall clock at the origin that all times count from; missing until the drive is over. */
  readonly originWallMs?: number;
  readonly outcome: EngineOutcome;
  readonly phases: readonly PhaseRecord[];
  readonly cells: readonly Cell[];
  readonly evenness: readonly Evenness[];
  readonly workers: readonly WorkerLag[];
  readonly probe: ProbeOutcome | undefined;
  /** Still there: it is asked after the load what everybody saw. */
  readonly streams: DrivenStreams | undefined;
  readonly faults: readonly FaultRecord[];
  readonly watched: Watched;
  readonly pipelineDrainSeconds: number | undefined;
  readonly abortedBy: string | undefined;
  /** The sentence of a run that this machine cannot hold: it was ended in its warm-up, and nothing is read back. */
  readonly unfit: string | undefined;
};

export type Driving = {
  readonly input: Pick<DriveInput, 'phases' | 'webhooks' | 'signal' | 'onSecond' | 'abortedBy' | 'fitCheck'> & { readonly scenario: Pick<Scenario, 'phases'> };
  readonly run: EngineRun;
  readonly fold: CellFold;
  readonly evenness: EvennessFold;
  readonly workers: WorkerLag[];
  readonly probe: Probe | undefined;
  readonly streams: DrivenStreams | undefined;
  readonly faults: Faults;
  readonly watch: Pick<Watch, 'coresOf' | 'lastMachine' | 'scrapeNow' | 'stop'>;
  readonly sinceOriginMs: () => number;
};
