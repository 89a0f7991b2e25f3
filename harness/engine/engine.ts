/**
 * The seam between a run and whatever drives its load. An engine is given a plan as data, is told when phases begin, and hands
 * over what it saw second by second. It never judges.
 */

import type { FleetConnection } from '#harness/pacing/fleet-connections.ts';
import type { ArrivalPhase, RateSpacing } from '#harness/pacing/plan.ts';
import type { K6Record, SecondDelta } from '#harness/run-result.ts';
import type { ThinkTimes } from '#harness/scenario.ts';
import type { DeviceCredentials, ItemContext } from '#harness/target/operation.ts';
import type { KeptTimes } from './kept-times.ts';

export type { ArrivalPhase, RateSpacing };

export type EngineTarget = {
  readonly host: string;
  readonly port: number;
  /** `undefined` for plain HTTP. Without `serverName` (a host that is an address) none is sent. `ca` in PEM where the certificate is not publicly trusted. */
  readonly tls?: { readonly serverName?: string; readonly ca?: string };
  /** Put before every path, without a slash at its end. */
  readonly pathPrefix: string;
};

export type EngineInput = {
  readonly run: string;
  readonly seed: number;
  readonly target: EngineTarget;
  /** Module (an import specifier) that exports `operations: readonly Operation[]`: functions cannot cross threads. */
  readonly operationsModule: string;
  /** Of a module that exports `operationsOf(data)` instead: what they are made of. It crosses threads and processes. */
  readonly operationsData?: unknown;
  readonly workers: number;
  readonly connection: FleetConnection;
  readonly devices: readonly DeviceCredentials[];
  readonly eventsPerBatch: number;
  /** Missing where nobody writes items. */
  readonly items?: ItemContext;
  readonly timeoutMs: number;
  /** Missing: one try. `afterMs`: where nothing was asked for, or nobody listens to it. */
  readonly retry?: { readonly kind: 'honour' | 'ignore'; readonly triesMax: number; readonly afterMs: number };
  readonly goodWithinMs: number;
  /** Chains by name: the operations' names in order. */
  readonly chains: Readonly<Record<string, readonly string[]>>;
  /** Missing where nobody thinks between two steps. */
  readonly thinkTimes?: ThinkTimes | undefined;
  readonly phases: readonly ArrivalPhase[];
  /** The generator's own stop longer than this spoils what was due or in flight then. */
  readonly spoiledAboveMs: number;
  /** An arrival fired later than this is load not delivered. */
  readonly lateAboveMs: number;
};

export type EngineEvents = {
  /** Cells may be revised by later deltas: they add up. At most one batch a second for each worker. */
  readonly onDelta: (delta: SecondDelta) => void;
};

/** What an arrival became, one byte each: the ledger's raw material. Index = arrival number over the whole run. */
export const arrivalState = {
  notPlanned: 0,
  notFired: 1,
  /** Sent, and neither answered nor given up yet; after the run the same as unknown. */
  inFlight: 2,
  acknowledged: 3,
  /** Refused by a complete answer: must not be there. */
  refused: 4,
  /** Timed out, cut, or answered unintelligibly: may be there, at most once. */
  unknown: 5,
} as const;

/**
 * Added to an arrival's state: when it was sent, the arrival before it of the same device (number − devices) had been
 * acknowledged and no later one of the device had been sent, so the service must show that one before this and all
 * later ones. With this bit a byte an arrival is enough to judge order.
 */
export const afterAcknowledged = 0x10;

/** Added to an arrival's state: the second promise of its chain (a delete, a share) was acknowledged too. */
export const secondAcknowledged = 0x20;

/** Whose arrival is it? Round robin, so that the arrival before it of the same device is `arrival − devices`. */
export const deviceOfArrival = (arrival: number, devices: number): number => arrival % devices;

export type EngineOutcome = {
  /** Of every arrival, by its number: an `arrivalState`, with `afterAcknowledged` or without. */
  readonly states: Uint8Array;
  /** Of the promises that were acknowledged; missing where the engine does not keep them. */
  readonly times?: KeptTimes;
  /** First arrival number of each phase, in the order of `EngineInput.phases`. Phases that were cut keep their numbers. */
  readonly phaseFirstArrival: readonly number[];
  /** Of each phase: when a request that was late, or never came to it, last left the queue, since origin; −Infinity where none was. */
  readonly queuedUntilMs: readonly number[];
  /** For the report: which socket layer ran. */
  readonly wire: string;
  /** Of a run that k6 drove. */
  readonly k6?: K6Record;
};

export type Engine = {
  readonly name: string;
  /** Resolves when workers are up, connections are open and nothing has been sent. Rejects with a sentence. */
  readonly prepare: (input: EngineInput, events: EngineEvents) => Promise<EngineRun>;
};

export type EngineRun = {
  /** Origin of all times of the run, by process.hrtime in nanoseconds. */
  readonly originNs: bigint;
  /** Missing: it does. Where false, `cut` ends the whole run, whatever the phase. */
  readonly endsPhasesEarly?: boolean;
  /** Processes of its own, whose CPU is the generator's. */
  readonly pids?: readonly number[];
  /** Drives one phase from `startAtMs` (since origin, at least 50 ms ahead). Resolves when its last arrival was fired or cut. */
  readonly drive: (phase: number, startAtMs: number) => Promise<void>;
  /** Ends a phase that was given, also before its start: its later arrivals were never planned. The one before it, if it still runs, does to its end. */
  readonly cut: (phase: number) => void;
  /** Waits until nothing is in flight (at most timeoutMs), closes connections, ends workers. */
  readonly finish: () => Promise<EngineOutcome>;
  /** At once, for a second Ctrl-C. */
  readonly kill: () => Promise<void>;
};
