/**
 * The engine of one worker: which arrivals are due, and what becomes of them. Clock, wire and the instants at which it is given the
 * turn come from outside, so a thread runs it in real time and simulation runs this very code in virtual time.
 */

import { arrivalState, deviceOfArrival } from '#harness/engine/engine.ts';
import type { KeptTimes } from '#harness/engine/kept-times.ts';
import { type ArrivalCursor, chainOfArrival, createArrivals } from '#harness/pacing/arrivals.ts';
import { chanceOf, purposes } from '#harness/pacing/random.ts';
import type { EvennessBins, SecondDelta, WorkerLag } from '#harness/run-result.ts';
import type { Operation } from '#harness/target/operation.ts';
import { EvennessRecorder } from './evenness-recorder.ts';
import { Exchanges } from './exchanges.ts';
import type { Chain } from './slots.ts';
import { Stops } from './stops.ts';
import type { Wire } from './wire/wire.ts';
import type { WorkerInput } from './worker-input.ts';

export type EngineCoreOptions = {
  readonly input: WorkerInput;
  readonly operations: readonly Operation[];
  /** One byte an arrival of the whole run; a worker writes only its own. */
  readonly states: Uint8Array;
  readonly times: KeptTimes;
  readonly wire: Wire;
  /** Milliseconds since the run's origin, monotonic, with fractions. */
  readonly nowMs: () => number;
  /** Wall clock of the origin, for payloads. */
  readonly originWallMs: number;
  /** At least this often `turn` is called, or the generator stood still. */
  readonly sleepMaxMs: number;
  /** The last arrival of a phase was fired, or the phase was cut. */
  readonly onPhaseEnd: (phase: number) => void;
};

type Drive = {
  readonly phase: number;
  readonly startMs: number;
  readonly cursor: ArrivalCursor;
  readonly evenness: EvennessRecorder;
  /** By index into the phase's traffic. */
  readonly chains: readonly Chain[];
};

/** What the thread knows of itself beside the loop. */
export type ThreadLag = Pick<WorkerLag, 'gcMsTotal' | 'gcMsMax' | 'utilisation'>;

/** The chains of every phase's traffic; an unknown name is a sentence. */
function resolveChain(name: string, input: WorkerInput, operations: readonly Operation[]): Chain {
  const steps = input.chains[name];
  if (steps === undefined) throw new Error(`the traffic names the chain "${name}", and there is none of that name`);
  return steps.map((step, place) => {
    const index = operations.findIndex((operation) => operation.name === step);
    if (index === -1) throw new Error(`chain "${name}" names the operation "${step}", and the target has none of that name`);
    return { operation: operations[index]!, index, thinkTime: input.thinkTimes?.[name]?.[place] };
  });
}

export class EngineCore {
  readonly #options: EngineCoreOptions;
  readonly #exchanges: Exchanges;
  readonly #stops: Stops;
  readonly #chains: readonly (readonly Chain[])[];
  /** In the order of their phases; the first is being driven. */
  readonly #drives: Drive[] = [];
  /** Of phases that are over: their last seconds have not been handed over. */
  #ending: Drive[] = [];
  #nextDueMs = Number.POSITIVE_INFINITY;
  arrivalsFired = 0;

  constructor(options: EngineCoreOptions) {
    const { input, operations } = options;
    this.#options = options;
    this.#stops = new Stops({ spoiledAboveMs: input.spoiledAboveMs, sleepMaxMs: options.sleepMaxMs, nowMs: options.nowMs() });
    this.#chains = input.phases.map((phase) => phase.traffic.map((share) => resolveChain(share.chain, input, operations)));
    this.#exchanges = new Exchanges({
      input,
      states: options.states,
      times: options.times,
      wire: this.#watched(options.wire),
      nowMs: options.nowMs,
      stops: this.#stops,
      operationNames: operations.map((operation) => operation.name),
      onArrivalFired: (phase, atMs) => this.#driveOf(phase)?.evenness.fired(atMs),
    });
  }

  /** When the next arrival, try or step is due; Infinity: none is planned. */
  get nextDueMs(): number {
    return Math.min(this.#nextDueMs, this.#exchanges.nextLaterMs);
  }

  /** Requests that are out or wait for a connection. */
  get inFlight(): number {
    return this.#exchanges.slots.used;
  }

  /** Opens some more of the groups' connections; `opened` and `connectTrouble` say how it went. */
  openConnections(from: number, until: number): void {
    this.#exchanges.pool.openGroups(from, until);
  }

  get groups(): number {
    return this.#exchanges.groups;
  }

  /** Of each phase: when a request that was late, or never came to it, last left the queue; −Infinity where none was. */
  get queuedUntilMs(): readonly number[] {
    return this.#exchanges.queuedUntilMs;
  }

  get connectionsIdle(): number {
    return this.#exchanges.pool.idleCount;
  }

  get connectTrouble(): string | undefined {
    return this.#exchanges.connectTrouble;
  }

  /** Drives a phase; one that is given while another runs begins when that one's last arrival was fired. */
  drive(phase: number, startMs: number): void {
    const { input } = this.#options;
    const { seed, workers, worker, phases } = input;
    const cursor = createArrivals({ phases, phase, seed, devices: input.deviceCount, worker, workers });
    const evenness = new EvennessRecorder({ phase, startMs, durationMs: phases[phase]!.durationSeconds * 1000 });
    this.#drives.push({ phase, startMs, cursor, evenness, chains: this.#chains[phase]! });
    this.#schedule();
  }

  /** Ends a phase wherever it stands: the next one is given while the one before it still runs. */
  cut(phase: number): void {
    const drive = this.#drives.find((one) => one.phase === phase);
    if (drive === undefined) return;
    drive.evenness.cut(this.#options.nowMs());
    this.#end(drive);
  }

  /** To be called when an arrival is due, and at least every `sleepMaxMs`. */
  turn(): void {
    const nowMs = this.#observe();
    this.#exchanges.expire(nowMs);
    this.#exchanges.goOn(nowMs);
    this.#fireDue(nowMs);
    this.#exchanges.pool.openDue(nowMs);
  }

  giveUpAll(): void {
    this.#exchanges.giveUpAll(this.#options.nowMs());
  }

  closeConnections(): void {
    this.#exchanges.closeAll();
  }

  /** Everything since the last call. */
  takeDelta(lag: ThreadLag): SecondDelta {
    const nowMs = this.#options.nowMs();
    const evenness: EvennessBins[] = [];
    for (const drive of this.#drives) evenness.push(...drive.evenness.take(nowMs, false));
    // What waits for a connection may still be fired.
    const kept = this.inFlight > 0 ? this.#ending : [];
    for (const drive of this.#ending) evenness.push(...drive.evenness.take(nowMs, !kept.includes(drive)));
    this.#ending = kept;
    const second = Math.max(0, Math.floor(nowMs / 1000));
    const acknowledged = this.#exchanges.acknowledged.take();
    return {
      cells: this.#exchanges.cells.take(),
      evenness,
      lag: { worker: this.#options.input.worker, second, ...this.#stops.takeLag(), ...lag },
      ...(acknowledged === undefined ? {} : { acknowledged }),
    };
  }

  #observe(): number {
    const nowMs = this.#options.nowMs();
    if (this.#stops.observe(nowMs)) this.#stops.outstanding = this.#exchanges.inFlight;
    return nowMs;
  }

  /** Between reads is where arrivals become late: each read looks for a stop before it counts, and for arrivals after it. */
  #watched(wire: Wire): Wire {
    return {
      name: wire.name,
      stampsArrivals: wire.stampsArrivals,
      connect: (events) =>
        wire.connect({
          onOpen: events.onOpen,
          onClose: events.onClose,
          onData: (buffer, start, end, readableSinceMs) => {
            this.#observe();
            events.onData(buffer, start, end, readableSinceMs);
            const nowMs = this.#options.nowMs();
            if (this.#nextDueMs <= nowMs) this.#fireDue(nowMs);
          },
        }),
    };
  }

  #fireDue(fromMs: number): void {
    let nowMs = fromMs;
    while (this.#nextDueMs <= nowMs) {
      const drive = this.#drives[0]!;
      this.#fire(drive, nowMs);
      drive.cursor.advance();
      this.#schedule();
      nowMs = this.#options.nowMs();
    }
  }

  #fire(drive: Drive, nowMs: number): void {
    const { input, states } = this.#options;
    const { arrival } = drive.cursor;
    const dueMs = this.#nextDueMs;
    const slot = this.#exchanges.slots.take();
    const traffic = input.phases[drive.phase]!.traffic;
    slot.chain = drive.chains[chainOfArrival(traffic, input.seed, arrival)]!;
    slot.step = 0;
    slot.tries = 1;
    slot.thoughtMs = 0;
    slot.isThinking = false;
    slot.phase = drive.phase;
    slot.intendedMs = dueMs;
    slot.dueMs = dueMs;
    slot.abandoned = false;
    slot.spoiledBefore = false;
    slot.context.arrival = arrival;
    slot.context.intendedWallMs = this.#options.originWallMs + dueMs;
    slot.context.chance = chanceOf(input.seed, arrival, purposes.payload);
    states[arrival] = arrivalState.notFired;
    this.arrivalsFired++;
    drive.evenness.planned(dueMs);
    this.#exchanges.start(slot, nowMs);
  }

  #driveOf(phase: number): Drive | undefined {
    const first = this.#drives[0];
    return first?.phase === phase ? first : this.#ending.find((drive) => drive.phase === phase);
  }

  #end(drive: Drive): void {
    this.#drives.splice(this.#drives.indexOf(drive), 1);
    this.#ending.push(drive);
    this.#schedule();
    this.#options.onPhaseEnd(drive.phase);
  }

  #schedule(): void {
    const drive = this.#drives[0];
    // A worker without an arrival in a phase has nothing to drive in it.
    if (drive?.cursor.intendedMs === Number.POSITIVE_INFINITY) return this.#end(drive);
    this.#nextDueMs = drive === undefined ? Number.POSITIVE_INFINITY : drive.startMs + drive.cursor.intendedMs;
  }
}

/** The worker's own devices out of all, by `floor(device / workers)`. */
export function devicesOfWorker<Device>(devices: readonly Device[], worker: number, workers: number): Device[] {
  return devices.filter((_device, index) => deviceOfArrival(index, devices.length) % workers === worker);
}
