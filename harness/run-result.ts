/**
 * What a run leaves behind, as plain data: engines and collectors write it, gates judge it, reports draw it, the run folder
 * stores it. A run's memory and its folder grow with its seconds, never with its requests.
 */
import type { SparseHistogram } from '#harness/metrics/histogram.ts';
import type { Scenario } from '#harness/scenario.ts';

/**
 * dispatch_delay: planned → first byte written. connect: connecting, with TLS. service: first byte written → last byte there (where the wire is told when it came) or read.
 * response: planned → last byte read, of a chain's first operation only. chain: planned → success of its last operation.
 * read_uncertainty: how long before the read the answer was there (the epoll wire, where `service` and `response` end then), or may have been (the others).
 */
export const timeNames = ['dispatch_delay', 'connect', 'service', 'response', 'chain', 'read_uncertainty'] as const;
export type TimeName = (typeof timeNames)[number];

/** `clean`: trustworthy. `spoiled`: due or in flight while the generator itself stood still. Microseconds. */
export type TimeHistograms = { readonly clean: SparseHistogram; readonly spoiled: SparseHistogram };

/** Counts of one second, phase and operation. A request is counted in the second of its *intended* start, except `fired` and `answered`. */
export type CellCounts = {
  /** Planned arrivals (of a chain's later operations: those whose turn came). */
  readonly planned: number;
  /** By the second in which the first byte was written. */
  readonly fired: number;
  /** By the second in which the answer was complete. */
  readonly answered: number;
  readonly good: number;
  readonly shed: number;
  /** Wrong, late beyond goodWithinMs, cut or refused connections, timed out. */
  readonly failed: number;
  /** Of the fired and failed: given up after timeoutMs. */
  readonly timedOut: number;
  /** Of the fired and failed: no complete answer can come any more (refused, reset, closed, or not to be understood). */
  readonly cut: number;
  /** Of the fired: neither answered nor given up when the run ended. */
  readonly inFlightAtEnd: number;
  /** Of the fired: more than lateAboveMs after they were due. */
  readonly firedLate: number;
  /** Of the planned: not one byte of them went out. With the fired they are all that was planned. */
  readonly neverFired: number;
  /** Of the fired late: they waited while the service held every connection that the fleet may have. */
  readonly heldLate: number;
  /** Of the never fired: the same, until their timeout. They count as failed. */
  readonly heldNever: number;
  /** Of the failed and shed: those the generator's own stop may have caused. */
  readonly spoiledFailed: number;
  /** Arrivals that found no free connection and had to wait for one: a pool that limited the load. */
  readonly waitedForConnection: number;
  /** Arrivals whose chain did not succeed, with all their tries; in the cell of the first operation and the intended start. */
  readonly givenUp: number;
};

/** One second of one phase and operation. `times` has only good answers; failures are counts, and count as worse than any time. */
export type Cell = {
  /** Whole seconds since the run's origin. */
  readonly second: number;
  /** Index into the run's phases. */
  readonly phase: number;
  readonly operation: string;
  readonly counts: CellCounts;
  readonly times: Partial<Record<TimeName, TimeHistograms>>;
  /** Failures by reason, at most 20 reasons a cell. */
  readonly reasons: Readonly<Record<string, number>>;
};

/** Additions to cells, from one worker. Numbers missing from `counts` are 0. */
export type SecondDelta = {
  readonly cells: readonly (Omit<Cell, 'counts'> & { readonly counts: Partial<CellCounts> })[];
  /** Of the worker's thread, over the time since its last delta. Missing: the engine cannot say when it stood still. */
  readonly lag?: WorkerLag;
  /** Of seconds that are over. */
  readonly evenness: readonly EvennessBins[];
  /** Promises on items that were made meanwhile. */
  readonly acknowledged?: Acknowledgements;
};

/** Promise keys (`target/item-laws.ts`) and when each was read, since the run's origin. */
export type Acknowledgements = { readonly keys: readonly number[]; readonly atMs: readonly number[] };

export type WorkerLag = {
  readonly worker: number;
  readonly second: number;
  readonly loopDelayMaxMs: number;
  readonly stopMsTotal: number;
  readonly gcMsTotal: number;
  readonly gcMsMax: number;
  readonly utilisation: number;
};

/**
 * Arrivals of one worker and one second in bins of 0.2 ms. Moments of workers cannot be added, so workers hand over counts, and the
 * fold adds those of the same second before it squares; wider bins follow by adding neighbours. Late ones fall out of the phase.
 */
export type EvennessBins = {
  readonly phase: number;
  /** Whole seconds since the phase's own start, so that its first bin begins with it; its last second may have fewer bins. */
  readonly second: number;
  readonly plannedBins: ArrayLike<number>;
  readonly firedBins: ArrayLike<number>;
};

/** Index of dispersion by bin width: 1 for a Poisson process, 0 for an even plan. */
export type Evenness = { readonly phase: string; readonly binMs: number; readonly planned: number; readonly fired: number };

/** What k6 said of itself. */
export type K6Record = {
  readonly processes: number;
  /** Iterations that found no free VU and were dropped by k6, of each phase. */
  readonly droppedIterations: readonly number[];
  /** Of each phase, how many more or fewer arrivals were planned than k6 began and dropped. Of a run that was cut nothing is known: none. Missing in runs of before. */
  readonly unaccountedIterations?: readonly number[];
};

export type PhaseRecord = {
  readonly name: string;
  readonly measured: boolean;
  /** Since origin. */
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly planned: number;
  /** Only of `untilSettled` phases. */
  readonly settled?: boolean;
  /** Of an earlier phase, requests were still queued for so long after this one began. */
  readonly backlog?: { readonly phase: string; readonly measured: boolean; readonly seconds: number };
};

/** Operating-system figures of one process over one second. `undefined`: not measurable here, never 0. */
export type ProcessSecond = {
  readonly second: number;
  readonly cpuMicros: number | undefined;
  readonly residentBytes: number | undefined;
  /** Resident without mapped files: a store's pages are the kernel's. Missing in runs of before. */
  readonly ownBytes?: number | undefined;
  readonly runQueueWaitMs: number | undefined;
  readonly descriptors: number | undefined;
};
export type ProcessRecord = {
  readonly name: string;
  readonly role: 'generator' | 'system' | 'probe' | 'balancer';
  readonly pid: number;
  readonly seconds: readonly ProcessSecond[];
};

/** Of the machine, over one second; shares of all cores' time, 0 to 1. */
export type MachineSecond = {
  readonly second: number;
  readonly stealShare: number | undefined;
  readonly busyShare: number | undefined;
  /** `some` of /proc/pressure/cpu. */
  readonly cpuPressureShare: number | undefined;
  readonly throttledPeriods: number | undefined;
};

/** Scraped from the service once a second: a sample's name with its labels → value. */
export type ScrapeSecond = { readonly second: number; readonly ok: boolean; readonly values: Readonly<Record<string, number>> };

/** What one reading may say against the service. */
export const suspicions = ['lost', 'duplicated', 'reordered'] as const;
export type Suspicion = (typeof suspicions)[number];
export type EventSuspicions = Readonly<Record<Suspicion, number>>;

export type LedgerRecord = {
  /** Events. */
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  /** These three by two witnesses: the export, and after a pause the device's history. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** Of the same kinds, what the export said and the history took back: findings about the export. Missing in runs of before, which heard the export alone. */
  readonly exportAlone?: EventSuspicions;
  /** What the export said and the history could not be asked for: neither told nor taken back. */
  readonly unconfirmed?: EventSuspicions & { readonly why: string };
  /** Unknown ones that were there after all. */
  readonly unknownFound: number;
  /** Refused ones that were there: a refusal that stored. */
  readonly refusedFound: number;
  /** Events of this run's accounts that the plan does not know. */
  readonly foreign: number;
  /** |received − accepted − duplicate − rejected| + |accepted − pending − kept − Σ filtered|, by the service's own counters. */
  readonly conservationError: number | undefined;
  readonly readSeconds: number;
  /** Set where the export could not be read to its end: then nothing is known of what is missing. */
  readonly incomplete?: string;
  /** A few examples for the report, at most 10 of each kind. */
  readonly examples: readonly { readonly kind: 'lost' | 'duplicated' | 'reordered' | 'foreign' | 'refused-found'; readonly eventId: string }[];
};

/**
 * hello: dialled → hello frame. delivery_lag: write acknowledged → its frame arrived, 0 where the frame was first. frame_gap: between two frames of a live stream.
 * resume: a stream ended → caught up again. lifetime: hello → end. offline_after: a device's stream was closed → it was told to be offline.
 * Those of a stream that ended stand in the second in which it ended, delivery_lag in that of the acknowledgement. What follows from the scenario's settings
 * (frame_gap, lifetime, offline_after) is told on the scenario's clock; what the service and the client take (hello, delivery_lag, resume) on the real one.
 */
export const streamTimeNames = ['hello', 'delivery_lag', 'frame_gap', 'resume', 'lifetime', 'offline_after'] as const;
export type StreamTimeName = (typeof streamTimeNames)[number];

/** Of one second and reader. */
export type StreamCounts = {
  /** Connections begun, polls included. */
  readonly dialled: number;
  /** Streams that said hello; of these with a cursor that they resumed. */
  readonly opened: number;
  readonly resumed: number;
  /** Answered 429 or 503. */
  readonly refused: number;
  /** Could not connect, or answered something that is no stream. */
  readonly failed: number;
  /** Ended without a goodbye: cut, reset, or silent for so long that the reader gave up. */
  readonly lost: number;
  /** Ended by a bye. */
  readonly byes: number;
  /** Ended again, however, before it had caught up: counted in neither of them, since it is still the first end that it has to come back from. */
  readonly relapsed: number;
  /** Ended because the population shrank. */
  readonly closed: number;
  /** Of those that ended by loss or bye: were closed by us before they were back. */
  readonly abandoned: number;
  readonly frames: number;
  readonly changes: number;
  readonly heartbeats: number;
  /** A gap of more than 1.1 heartbeats and 250 ms; and of more than two heartbeats. */
  readonly heartbeatsLate: number;
  readonly heartbeatsMissed: number;
  /** A cursor that did not grow. */
  readonly reordered: number;
  /** A change that this reader's user may not see. */
  readonly leaked: number;
  /** Had to begin anew: 410 or a reset frame. */
  readonly resynced: number;
  /** Devices with a stream of their own that were closed, where presence is watched. */
  readonly silenced: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
};

export type StreamCell = {
  readonly second: number;
  readonly phase: number;
  readonly reader: string;
  readonly counts: StreamCounts;
  /** Of the counts: what the generator's own stop may have caused. */
  readonly spoiled: Partial<StreamCounts>;
  readonly times: Partial<Record<StreamTimeName, TimeHistograms>>;
  /** How streams ended and why opening failed, at most 20 a cell: `bye drain`, `cut ECONNRESET`, `status 503`. */
  readonly reasons: Readonly<Record<string, number>>;
  /** At the second's end: caught up, on their way, and waiting to try again. */
  readonly held: { readonly live: number; readonly opening: number; readonly waiting: number };
};

/** Additions from one process that holds streams. Numbers missing are 0. */
export type StreamDelta = {
  readonly cells: readonly (Omit<StreamCell, 'counts' | 'held'> & { readonly counts: Partial<StreamCounts>; readonly held?: StreamCell['held'] })[];
  readonly lag: WorkerLag;
};

export type StreamsRecord = {
  readonly cells: readonly StreamCell[];
  /** Of the processes that hold them: `worker` is the process. */
  readonly processes: readonly WorkerLag[];
};

/** Of one second and receiver. Attempts are counted in the second in which they came, deliveries in that of their event. */
export type WebhookCounts = {
  /** Requests that told of an event; handshakes are none. */
  readonly attempts: number;
  /** Of them: answered with 2xx, to the last byte. */
  readonly accepted: number;
  /** Of them: of an event that had come before. */
  readonly repeated: number;
  /** Of them: without a signature that holds. */
  readonly unsigned: number;
  /** Events that came a first time. */
  readonly deliveries: number;
};

export type WebhookCell = {
  readonly second: number;
  readonly phase: number;
  readonly receiver: string;
  readonly counts: WebhookCounts;
  /** Most attempts of one endpoint that were there at once, neither answered nor given up. */
  readonly openMax: number;
  /** From the event's time to its first arrival, on the real clock. */
  readonly times: { readonly delay?: TimeHistograms };
};

/** Additions from the process that receives. Counts missing are 0. */
export type WebhookDelta = {
  readonly cells: readonly (Omit<WebhookCell, 'counts'> & { readonly counts: Partial<WebhookCounts> })[];
  readonly lag: WorkerLag;
};

/** What had to arrive, by the registrations that were acknowledged: one event at each endpoint of the account. Counts of events over a receiver's endpoints. */
export type WebhookReceiverLedger = {
  readonly receiver: string;
  readonly endpoints: number;
  readonly expected: number;
  readonly arrived: number;
  /** Of what had to arrive and did not, by the phase of the registration. */
  readonly missingByPhase: readonly number[];
  /** Not accepted by a receiver that takes all; or neither accepted nor accounted for by the service; or called delivered and never accepted. */
  readonly lost: number;
  /** Further events, with ids of their own, for one registration. Repeats of one id are none: they are allowed. */
  readonly duplicated: number;
  /** Of devices of another account. */
  readonly leaked: number;
  /** Of devices that were refused, or that the plan does not know. */
  readonly unfounded: number;
  /** As the service says. */
  readonly delivered: number;
  readonly waiting: number;
  readonly dead: number;
  readonly dropped: number;
  /** Endpoints. */
  readonly disabled: number;
};

export type WebhookLedgerRecord = {
  readonly receivers: readonly WebhookReceiverLedger[];
  /** From the load's end until those who take all had everything, or were no longer waited for. */
  readonly waitedSeconds: number;
  /** Set where it could not be read to its end: then nothing is known of what is missing. */
  readonly incomplete?: string;
  readonly examples: readonly { readonly kind: 'lost' | 'duplicated' | 'leaked' | 'unfounded'; readonly text: string }[];
};

export type WebhooksRecord = {
  readonly cells: readonly WebhookCell[];
  readonly processes: readonly WorkerLag[];
  readonly ledger: WebhookLedgerRecord | undefined;
};

/** What was done to the service while it was under load. */
export type FaultRecord = {
  readonly kind: string;
  readonly phase: string;
  /** Since origin: begun, and done. */
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** Set where it could not be done. */
  readonly trouble?: string;
};

/** What one reading of the logs may say against the service: of a log itself, and of its readers. */
export type ItemSuspicions = { readonly lostFromLog: number; readonly lost: number; readonly duplicated: number; readonly reordered: number };

/** Items: what was acknowledged, whether the log has it, and whether every reader got it. Counts of changes. */
export type ItemLedgerRecord = {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly unknownFound: number;
  /** Acknowledged and not in its user's log, or its recipient's inbox. */
  readonly lostFromLog: number;
  readonly logLength: number;
  /** Readers that were compared with their user's log, and how many changes all of them together had to see and saw. */
  readonly readers: number;
  readonly expected: number;
  readonly seen: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly leaked: number;
  /** What the first reading of the logs said and the second took back: a finding about that route. Missing in runs of before, which read them once. */
  readonly logAlone?: ItemSuspicions;
  /** What the first reading said and nobody could ask for again: neither told nor taken back. */
  readonly unconfirmed?: ItemSuspicions & { readonly why: string };
  readonly readSeconds: number;
  readonly incomplete?: string;
  readonly examples: readonly { readonly kind: 'lost-from-log' | 'lost' | 'duplicated' | 'leaked'; readonly text: string }[];
};

export type QuantileSet = {
  readonly count: number;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
};

/** By the second of the planned instant. What the plan had is all of them together. */
export type ProbeSecond = {
  readonly second: number;
  readonly phase: number;
  /** First byte written → last byte read, of good answers to requests that were sent in time. */
  readonly service: SparseHistogram;
  readonly failed: number;
  /** Missing in runs of before, where `failed` had them. */
  readonly shed?: number;
  /** Not sent, sent too late, or never told of: nothing is known of these instants. Missing in runs of before. */
  readonly missing?: number;
  /** How late the latest request was. Missing in runs of before. */
  readonly behindMsMax?: number;
};

export type ProbeRecord = {
  readonly seconds: readonly ProbeSecond[];
  readonly trouble?: string;
};

export type CalibrationRecord = {
  readonly when: 'before' | 'after';
  readonly targetRatePerSecond: number;
  readonly achievedRatePerSecond: number;
  readonly secondsDriven: number;
  /** What the instrument adds to the target's programmed delay. */
  readonly addedP50Ms: number | null;
  readonly addedP99Ms: number | null;
  readonly dispatchDelayP99Ms: number | null;
  readonly cpuMicrosPerRequest: number | undefined;
};

/** How `--fit` found the factor by which all rates were scaled; the run's scenario has the scaled ones. */
export type FitRecord = {
  /** More than 0, at most 1. */
  readonly factor: number;
  /** The scenario's peak as it was written. */
  readonly plannedPeakPerSecond: number;
  /** The most that held in the search. */
  readonly heldPerSecond: number;
  /** Of what held: left free. 0 where the whole plan held. */
  readonly marginShare: number;
  /** What was tried, in order. */
  readonly rungs: readonly { readonly ratePerSecond: number; readonly held: boolean; readonly why: string }[];
  /** Thresholds that count requests and were left as they were. */
  readonly unscaled: readonly string[];
};

export type RunRecord = {
  readonly id: string;
  readonly run: string;
  readonly startedAt: string;
  readonly scenario: Scenario;
  /** Only of a run with `--fit`. */
  readonly fit?: FitRecord;
  readonly seed: number;
  readonly planHash: string;
  readonly gitRevision: string;
  readonly runtime: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryBytes: number; readonly kernel: string };
  readonly target: {
    readonly url: string;
    readonly owned: boolean;
    readonly durability: string | undefined;
    readonly workers: number | undefined;
    readonly nodes?: number;
    /** What stands before the service: `model classic-elb`, `haproxy 2.6.12`. */
    readonly balancer?: string;
  };
  /** Only of a run with `--url`: what was asked for, without what may be secret. Nothing can be read back there. */
  readonly request?: { readonly method: string; readonly url: string };
  readonly engine: string;
  readonly wire: string;
};

export type RunResult = {
  readonly version: 1;
  readonly run: RunRecord;
  readonly phases: readonly PhaseRecord[];
  readonly cells: readonly Cell[];
  readonly evenness: readonly Evenness[];
  readonly workers: readonly WorkerLag[];
  readonly processes: readonly ProcessRecord[];
  readonly machine: readonly MachineSecond[];
  readonly scrapes: readonly ScrapeSecond[];
  readonly ledger: LedgerRecord | undefined;
  readonly items?: ItemLedgerRecord;
  readonly streams?: StreamsRecord;
  readonly webhooks?: WebhooksRecord;
  readonly faults?: readonly FaultRecord[];
  /** Only of runs that k6 drove. */
  readonly k6?: K6Record;
  readonly probe: ProbeRecord | undefined;
  readonly calibration: readonly CalibrationRecord[];
  /** Seconds after the last load phase until the service said that nothing was pending; undefined: not within the limit. */
  readonly pipelineDrainSeconds: number | undefined;
  readonly limits: {
    readonly descriptorsMax: number | undefined;
    readonly descriptorsUsedMax: number | undefined;
    readonly portsMax: number | undefined;
    readonly portsUsedMax: number | undefined;
  };
  /** Something ended the run early: the user, an abort threshold; or it never began, since the service could not be reached. */
  readonly interrupted:
    | { readonly kind: 'no' }
    | { readonly kind: 'user' }
    | { readonly kind: 'abort'; readonly metric: string }
    /** This machine clearly cannot hold the plan: the sentence that says what it holds. */
    | { readonly kind: 'unfit'; readonly text: string }
    | { readonly kind: 'unmeasured'; readonly text: string };
};

/** ---- the verdict: a published contract; harness/gates/verdict.schema.json is its JSON Schema ---- */

export type VerdictKind = 'pass' | 'fail' | 'invalid' | 'inconclusive' | 'interrupted';
export const exitCodes: Readonly<Record<VerdictKind, number>> = { pass: 0, fail: 1, invalid: 3, inconclusive: 4, interrupted: 130 };

export type Verdict = {
  readonly version: 1;
  readonly scenario: string;
  readonly run: string;
  readonly verdict: VerdictKind;
  readonly exitCode: number;
  /** Only of a run with `--fit`: the factor of all rates, the peak that was driven and the one that the scenario plans. */
  readonly fit?: { readonly factor: number; readonly peakPerSecond: number; readonly plannedPeakPerSecond: number };
  readonly reasons: readonly { readonly code: string; readonly text: string }[];
  /** Said beside the verdict; none of them changes it. */
  readonly notes: readonly { readonly code: string; readonly text: string }[];
  /** `best`: with all unknown arrivals good; `worst`: with all of them bad. null: no samples. A quantile among the failed is the string "≥ timeout". */
  readonly thresholds: readonly {
    readonly metric: string;
    readonly selector: Readonly<Record<string, string>>;
    readonly expression: string;
    readonly observed: number | string | null;
    readonly best: number | string | null;
    readonly worst: number | string | null;
    readonly samples: number;
    readonly holds: 'yes' | 'no' | 'unknown';
  }[];
  readonly totals: {
    /** = firedInTime + firedLate + neverFired. */
    readonly planned: number;
    readonly firedInTime: number;
    readonly firedLate: number;
    readonly neverFired: number;
    /** = answered + timedOut + cut + inFlightAtEnd. */
    readonly fired: number;
    readonly answered: number;
    readonly timedOut: number;
    readonly cut: number;
    readonly inFlightAtEnd: number;
    readonly failed: number;
    readonly shed: number;
    /** The never fired, as readers of older verdicts know them. */
    readonly dropped: number;
    readonly acknowledged: number;
    readonly lost: number | null;
    readonly duplicated: number | null;
    readonly reordered: number | null;
  };
  /** Only where something failed: the most frequent reasons, at most ten. */
  readonly failures?: readonly {
    readonly phase: string;
    readonly operation?: string;
    readonly reader?: string;
    readonly reason: string;
    readonly count: number;
  }[];
  /** Only of runs with streams. `heldMin`: fewest live in a second of the measured phases. */
  readonly streams?: {
    readonly heldMax: number;
    readonly heldMin: number;
    readonly opened: number;
    readonly lost: number;
    readonly byes: number;
    readonly refused: number;
    readonly changesExpected: number | null;
    readonly changesSeen: number | null;
    readonly changesLost: number | null;
    readonly changesDuplicated: number | null;
    readonly changesReordered: number | null;
    readonly changesLeaked: number | null;
    /** By phase, reader, time. */
    readonly timesMs: Readonly<Record<string, Readonly<Record<string, Readonly<Partial<Record<StreamTimeName, QuantileSet>>>>>>>;
  };
  /** Only of runs with receivers of webhooks: of the whole run, by receiver. */
  readonly webhooks?: Readonly<
    Record<
      string,
      WebhookCounts & {
        readonly openMax: number;
        /** By the ledger; null: not known. */
        readonly expected: number | null;
        readonly lost: number | null;
        readonly duplicated: number | null;
        readonly leaked: number | null;
        /** By phase. */
        readonly delayMs: Readonly<Record<string, QuantileSet>>;
      }
    >
  >;
  /** By phase, operation, time. Good answers only, milliseconds. */
  readonly latencyMs: Readonly<Record<string, Readonly<Record<string, Readonly<Partial<Record<TimeName, QuantileSet>>>>>>>;
  /** By phase, then bin width in milliseconds as text. */
  readonly evenness: Readonly<Record<string, Readonly<Record<string, { readonly planned: number; readonly fired: number }>>>>;
  readonly calibration: readonly CalibrationRecord[];
  /** Microseconds a fired request, over the measured phases; null: not measurable. */
  readonly cpu: { readonly generator: number | null; readonly system: number | null };
};
