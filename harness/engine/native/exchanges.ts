/**
 * One worker's requests from the moment they are due: a connection, the bytes, the answer, its judgement, and what the ledger and the
 * cells keep of it. Everything that ends a request goes through `#settle`.
 */

import { arrivalState } from '#harness/engine/engine.ts';
import type { KeptTimes } from '#harness/engine/kept-times.ts';
import { thinkMsOf } from '#harness/pacing/think-time.ts';
import { promiseKey } from '#harness/target/item-laws.ts';
import { type DeviceCredentials, type Judgement, noItems, type OperationResponse } from '#harness/target/operation.ts';
import { AcknowledgementBook } from './acknowledgement-book.ts';
import { ArrivalStates } from './arrival-states.ts';
import { type CellRecord, CellRecorder, timeIndex } from './cell-recorder.ts';
import { Connection } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { LaterQueue } from './later-queue.ts';
import { poolLimitsOf } from './pool-limits.ts';
import { createRequestWriter } from './request-text.ts';
import { type Carrier, Deadlines, type Slot, SlotPool } from './slots.ts';
import type { Stops } from './stops.ts';
import type { Wire } from './wire/wire.ts';
import { groupsOfWorker, type WorkerInput } from './worker-input.ts';

export type ExchangesOptions = {
  readonly input: WorkerInput;
  readonly states: Uint8Array;
  readonly times: KeptTimes;
  readonly wire: Wire;
  readonly nowMs: () => number;
  readonly stops: Stops;
  readonly operationNames: readonly string[];
  /** An arrival's first byte goes out. */
  readonly onArrivalFired: (phase: number, atMs: number) => void;
};

/** The generator's own limits: such a failure says nothing about the target, and the arrival was not delivered. */
const ownLimitCodes: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/** A step that registers a device, in a chain that acknowledges nothing else. */
const isRegistration = ({ chain, step }: Slot): boolean =>
  chain[step]?.operation.keeps === 'device' && chain.every(({ operation: { keeps } }) => keeps === undefined || keeps === 'device');

/** The same request would be answered the same again. */
const isFinal = (status: number): boolean => status >= 400 && status < 500 && status !== 408 && status !== 429;

export class Exchanges {
  readonly cells: CellRecorder;
  readonly slots: SlotPool;
  readonly pool: ConnectionPool;
  readonly devices: DeviceCredentials[];
  readonly groups: number;
  readonly #options: ExchangesOptions;
  readonly #states: ArrivalStates;
  readonly #deadlines = new Deadlines();
  readonly #later = new LaterQueue();
  readonly #writeRequest: ReturnType<typeof createRequestWriter>;
  readonly #perRequest: boolean;
  /** Of a connection that could not be opened before anything was asked. */
  connectTrouble: string | undefined = undefined;
  /** Promises on items, for who waits for their frames. */
  readonly acknowledged = new AcknowledgementBook();
  /** How long the last answer lay there: a loop that reads late keeps connections, and who waits for them does not wait for the service. */
  #readLateMs = 0;
  /** Of each phase: when a request that was late, or never came to it, last left the queue. */
  readonly queuedUntilMs: number[];
  /** The run is over: nobody tries again. */
  #isEnding = false;
  #answer: Connection | undefined = undefined;
  readonly #response: { status: number; body: string; readonly header: OperationResponse['header'] } = {
    status: 0,
    body: '',
    header: (name) => this.#answer?.parser.header(name),
  };

  constructor(options: ExchangesOptions) {
    const { input } = options;
    this.#options = options;
    this.#states = new ArrivalStates(options.states, input.deviceCount);
    this.devices = [...input.devices];
    this.cells = new CellRecorder(options.operationNames);
    this.slots = new SlotPool({ run: input.run, eventsPerBatch: input.eventsPerBatch, items: input.items ?? noItems });
    this.#perRequest = input.connection.kind === 'per-request';
    this.groups = input.connection.kind === 'per-device-group' ? groupsOfWorker(input.connection.connections, input.worker, input.workers) : 0;
    this.pool = new ConnectionPool({
      groups: this.groups,
      ...poolLimitsOf(input),
      open: (group) => new Connection({ owner: this, wire: options.wire, group, nowMs: options.nowMs() }),
      discard: (slot) => this.slots.give(slot),
    });
    this.queuedUntilMs = input.phases.map(() => Number.NEGATIVE_INFINITY);
    this.#writeRequest = createRequestWriter(input.target, this.#perRequest);
  }

  /** The slot's current step is due: sends it, or queues it for a connection. */
  start(slot: Slot, nowMs: number): void {
    const { input, stops } = this.#options;
    slot.sent = false;
    slot.atLimit = false;
    slot.isHeld = false;
    slot.connectedFor = false;
    slot.connection = undefined;
    this.#cellOf(slot).counts.planned++;
    slot.inAftermath = stops.aftermath(nowMs);
    if (stops.reached(slot.dueMs)) stops.outstanding++;
    this.#deadlines.set(slot, nowMs + input.timeoutMs);
    const group = this.groups === 0 ? -1 : this.#deviceIndex(slot) % this.groups;
    const connection = this.pool.acquire(slot, group, nowMs);
    if (connection !== undefined) return this.#send(slot, connection);
    slot.isHeld = !slot.atLimit && nowMs - slot.dueMs <= input.lateAboveMs;
    if (slot.atLimit) this.#cellOf(slot).counts.waitedForConnection++;
  }

  /** Gives up what has waited longer than it may. */
  expire(nowMs: number): void {
    for (let slot = this.#deadlines.first; slot !== undefined && slot.deadlineMs <= nowMs; slot = this.#deadlines.first) {
      this.#giveUp(slot, nowMs);
    }
  }

  /** When the next try, or the next step that is thought about, is due; Infinity: nobody waits for one. */
  get nextLaterMs(): number {
    return this.#later.nextMs;
  }

  /** Those whose time has come try again, or go on. */
  goOn(nowMs: number): void {
    for (let slot = this.#later.take(nowMs); slot !== undefined; slot = this.#later.take(nowMs)) {
      slot.dueMs = slot.dueAgainMs;
      slot.isThinking = false;
      this.start(slot, nowMs);
    }
  }

  /** Requests that are out or wait for a connection, and not for another try. */
  get inFlight(): number {
    return this.#deadlines.size;
  }

  giveUpAll(nowMs: number): void {
    this.#isEnding = true;
    this.expire(nowMs);
    for (const slot of [...this.#deadlines]) this.#leave(slot);
    for (let slot = this.#later.take(Number.POSITIVE_INFINITY); slot !== undefined; slot = this.#later.take(Number.POSITIVE_INFINITY)) this.#endWaiting(slot);
  }

  closeAll(): void {
    for (const connection of [...this.pool.all]) connection.close();
  }

  // ---- what connections say

  readonly opened = (connection: Connection): void => {
    const { nowMs } = this.#options;
    connection.connectMs = nowMs() - connection.startedAtMs;
    this.#free(connection);
  };

  readonly received = (connection: Connection, buffer: Buffer, start: number, end: number, readableSinceMs: number): void => {
    const slot = connection.slot;
    // Said without being asked (a 408 before closing, say): nothing that comes after it can be told apart.
    if (slot === undefined) return connection.close();
    const progress = connection.parser.push(buffer, start, end);
    if (progress === 'more') return;
    const nowMs = this.#options.nowMs();
    this.#readLateMs = nowMs - readableSinceMs;
    if (progress === 'done') return this.#complete(slot, connection, { nowMs, readableSinceMs });
    this.#detach(slot, connection);
    connection.close();
    this.#cut(slot, { reason: connection.parser.trouble, state: arrivalState.unknown, nowMs });
  };

  readonly closed = (connection: Connection, code: string): void => {
    const nowMs = this.#options.nowMs();
    const slot = connection.slot;
    const never = connection.state === 'opening';
    if (never) this.connectTrouble = code;
    const waited = this.pool.remove(connection, nowMs);
    if (slot !== undefined) {
      const { begun } = connection.parser;
      if (connection.parser.end() === 'done') return this.#complete(slot, connection, { nowMs, readableSinceMs: nowMs });
      this.#detach(slot, connection);
      const reason = begun ? 'connection cut in the answer' : `connection ${code === 'closed' ? 'closed' : `broken: ${code}`}`;
      return this.#cut(slot, { reason, state: arrivalState.unknown, nowMs });
    }
    if (waited === undefined) return;
    if (ownLimitCodes.has(code)) return this.#drop(waited, `generator out of means: ${code}`);
    this.#countFired(waited, nowMs);
    this.#cut(waited, { reason: `connect ${code}`, state: arrivalState.notFired, nowMs });
  };

  // ---- the life of a request

  #send(slot: Slot, connection: Connection): void {
    const { input, nowMs, onArrivalFired } = this.#options;
    const { context } = slot;
    connection.slot = slot;
    slot.connection = connection;
    connection.parser.reset();
    context.device = this.devices[this.#deviceIndex(slot)]!;
    const text = this.#writeRequest(slot.chain[slot.step]!.operation.request(context));
    const isFirst = slot.step === 0 && slot.tries === 1;
    this.#states.sending(context.arrival, isFirst);
    const sentAtMs = nowMs();
    slot.sentAtMs = sentAtMs;
    slot.sent = true;
    this.#deadlines.set(slot, sentAtMs + input.timeoutMs);
    if (isFirst) onArrivalFired(slot.phase, sentAtMs);
    this.#countFired(slot, sentAtMs);
    connection.write(text);
  }

  #complete(slot: Slot, connection: Connection, read: { readonly nowMs: number; readonly readableSinceMs: number }): void {
    const { parser } = connection;
    this.#answer = connection;
    this.#response.status = parser.status;
    this.#response.body = parser.body;
    const step = slot.chain[slot.step]!;
    const judgement = this.#knowing(slot, this.#judge(slot));
    const { connectMs } = connection;
    this.#detach(slot, connection);
    // Before the outcome, so that a chain's next step finds its own connection free.
    if (connection.state !== 'closed') this.#reuse(connection);
    this.cells.at(read.nowMs, slot.phase, step.index).counts.answered++;
    const { status } = this.#response;
    if (this.#states.answered(slot.context.arrival, judgement, status, isRegistration(slot)))
      this.#options.times.keep(slot.context.arrival, { sentMs: slot.sentAtMs, acknowledgedMs: read.nowMs, status });
    if (judgement.kind === 'good' && judgement.promised !== undefined)
      this.acknowledged.add(promiseKey(slot.context.arrival, judgement.promised), this.#overMs(slot, read));
    if (judgement.kind === 'shed') this.#shed(slot, judgement.retryAfterSeconds);
    else if (judgement.kind === 'failed') this.#failCounted(slot, judgement.reason, isFinal(this.#response.status));
    else {
      if (judgement.learned !== undefined) this.#learn(slot, judgement.learned);
      this.#good(slot, { ...read, connectMs });
    }
  }

  /** An answer that makes the judge throw (a body that is no JSON) is one that cannot be understood, and no reason to end the run. */
  #judge(slot: Slot): Judgement {
    try {
      return slot.chain[slot.step]!.operation.judge(this.#response, slot.context);
    } catch (error) {
      return { kind: 'failed', reason: `not understood: ${error instanceof Error ? error.name : 'thrown'}` };
    }
  }

  /**
   * A device that is there already is believed by its secret only, which the answer to an earlier try had: one that was cut, and
   * is refused now, is registered.
   */
  #knowing(slot: Slot, judgement: Judgement): Judgement {
    const isIn = judgement.kind === 'failed' && this.#response.status === 401 && isRegistration(slot) && this.#states.mayBeThere(slot.context.arrival);
    return isIn ? { kind: 'good', acknowledged: 0, duplicate: 0 } : judgement;
  }

  #reuse(connection: Connection): void {
    if (connection.parser.keepAlive && !this.#perRequest) this.#free(connection);
    else connection.close();
  }

  /** What the wire was told of is over when the bytes were there, however late they were read. */
  #overMs(slot: Slot, { nowMs, readableSinceMs }: { readonly nowMs: number; readonly readableSinceMs: number }): number {
    return this.#options.wire.stampsArrivals ? Math.max(readableSinceMs, slot.sentAtMs) : nowMs;
  }

  #good(slot: Slot, read: { readonly nowMs: number; readonly readableSinceMs: number; readonly connectMs: number | undefined }): void {
    const { nowMs } = read;
    const overMs = this.#overMs(slot, read);
    if (overMs - slot.dueMs > this.#options.input.goodWithinMs) return this.#goodTooLate(slot);
    const cell = this.#cellOf(slot);
    const spoiled = this.#isSpoiled(slot);
    cell.counts.good++;
    cell.time(timeIndex.dispatch_delay, slot.sentAtMs - slot.dueMs, spoiled);
    cell.time(timeIndex.service, overMs - slot.sentAtMs, spoiled);
    cell.time(timeIndex.read_uncertainty, nowMs - read.readableSinceMs, spoiled);
    if (slot.step === 0 && slot.tries === 1) cell.time(timeIndex.response, overMs - slot.intendedMs, spoiled);
    if (read.connectMs !== undefined && slot.connectedFor) cell.time(timeIndex.connect, read.connectMs, spoiled);
    const next = slot.step + 1;
    if (next < slot.chain.length) {
      this.#leaveFlight(slot);
      slot.step = next;
      return this.#takeStep(slot, nowMs);
    }
    const chainMs = overMs - slot.intendedMs - slot.thoughtMs;
    this.cells.at(slot.intendedMs, slot.phase, slot.chain[slot.step]!.index).time(timeIndex.chain, chainMs, spoiled || slot.spoiledBefore);
    this.#end(slot);
  }

  /** A chain's next step: at once, or when it has been thought about. */
  #takeStep(slot: Slot, nowMs: number): void {
    const { thinkTime } = slot.chain[slot.step]!;
    if (thinkTime === undefined) {
      slot.dueMs = nowMs;
      return this.start(slot, nowMs);
    }
    const thoughtMs = thinkMsOf(thinkTime, { seed: this.#options.input.seed, arrival: slot.context.arrival, step: slot.step });
    slot.thoughtMs += thoughtMs;
    slot.dueAgainMs = nowMs + thoughtMs;
    slot.isThinking = true;
    if (this.#isEnding) return this.#end(slot);
    this.#later.add(slot);
  }

  /** The run ends while it waits. Who only thinks has failed at nothing, and is not counted as one that gave up. */
  #endWaiting(slot: Slot): void {
    if (slot.isThinking) this.#end(slot);
    else this.#endWithout(slot);
  }

  #shed(slot: Slot, retryAfterSeconds: number): void {
    const { counts } = this.#cellOf(slot);
    counts.shed++;
    if (this.#isSpoiled(slot)) counts.spoiledFailed++;
    this.#retryOrEnd(slot, retryAfterSeconds * 1000);
  }

  /** Tries again later where the devices of this run do so, else it is over. A slot that is still queued for a connection is the queue's. */
  #retryOrEnd(slot: Slot, askedMs: number): void {
    const { retry } = this.#options.input;
    if (retry === undefined || slot.tries >= retry.triesMax || slot.queued || this.#isEnding) return this.#endWithout(slot);
    this.#leaveFlight(slot);
    slot.tries++;
    slot.dueAgainMs = this.#options.nowMs() + (retry.kind === 'honour' && askedMs > 0 ? askedMs : retry.afterMs);
    this.#later.add(slot);
  }

  #endWithout(slot: Slot): void {
    this.cells.at(slot.intendedMs, slot.phase, slot.chain[0]!.index).counts.givenUp++;
    this.#end(slot);
  }

  #cut(slot: Slot, why: { readonly reason: string; readonly state: number; readonly nowMs: number }): void {
    this.#cellOf(slot).counts.cut++;
    this.#fail(slot, why);
  }

  #fail(slot: Slot, why: { readonly reason: string; readonly state: number; readonly nowMs: number }): void {
    this.#states.mark(slot.context.arrival, why.state);
    this.#failCounted(slot, why.reason);
  }

  /** It failed by the clock, and whoever asked has what he asked for: he does not come back, and has not given up. */
  #goodTooLate(slot: Slot): void {
    this.#countFailed(slot, 'late');
    this.#end(slot);
  }

  #countFailed(slot: Slot, reason: string): void {
    const cell = this.#cellOf(slot);
    cell.counts.failed++;
    if (this.#isSpoiled(slot)) cell.counts.spoiledFailed++;
    cell.reason(reason);
  }

  #failCounted(slot: Slot, reason: string, isFinal = false): void {
    this.#countFailed(slot, reason);
    if (isFinal) this.#endWithout(slot);
    else this.#retryOrEnd(slot, 0);
  }

  /** Never fired, by the generator's own limits. */
  #drop(slot: Slot, reason: string): void {
    const cell = this.#cellOf(slot);
    this.#countNeverFired(slot);
    cell.reason(reason);
    this.#states.mark(slot.context.arrival, arrivalState.notFired);
    this.#endWithout(slot);
  }

  #giveUp(slot: Slot, nowMs: number): void {
    if (!slot.sent) return this.#giveUpWaiting(slot, nowMs);
    this.#cellOf(slot).counts.timedOut++;
    const connection = slot.connection;
    slot.connection = undefined;
    if (connection !== undefined) this.#detachFrom(connection);
    this.#fail(slot, { reason: 'timeout', state: arrivalState.unknown, nowMs });
    // What still comes on it would be taken for the next request's answer.
    connection?.close();
  }

  /** No connection became free for it in all its time. Where the service held them all, that is its failure. */
  #giveUpWaiting(slot: Slot, nowMs: number): void {
    if (!this.#isHeld(slot)) return this.#drop(slot, 'no connection within the timeout');
    this.#countNeverFired(slot);
    this.#cellOf(slot).counts.heldNever++;
    this.#fail(slot, { reason: 'no connection opened or was free within the timeout', state: arrivalState.notFired, nowMs });
  }

  #isHeld(slot: Slot): boolean {
    return slot.isHeld && this.#readLateMs <= this.#options.input.lateAboveMs;
  }

  #countNeverFired(slot: Slot): void {
    this.#cellOf(slot).counts.neverFired++;
    this.#leftQueue(slot, this.#options.nowMs());
  }

  /** The run ends before it is answered or given up. */
  #leave(slot: Slot): void {
    if (!slot.sent) return this.#drop(slot, 'still waiting for a connection at the end');
    this.#cellOf(slot).counts.inFlightAtEnd++;
    this.#states.mark(slot.context.arrival, arrivalState.unknown);
    const connection = slot.connection;
    slot.connection = undefined;
    if (connection !== undefined) this.#detachFrom(connection);
    this.#endWithout(slot);
    connection?.close();
  }

  /** The request is over. A slot that is still queued for a connection is handed back by the queue. */
  #end(slot: Slot): void {
    this.#leaveFlight(slot);
    if (slot.queued) this.pool.abandon(slot);
    else this.slots.give(slot);
  }

  /** The generator stood still while this try was due or in flight, or it was fired in the aftermath. */
  #isSpoiled(slot: Slot): boolean {
    return slot.inAftermath || this.#options.stops.reached(slot.dueMs);
  }

  /** A slot that waits for another try, or thinks, has left already. */
  #leaveFlight(slot: Slot): void {
    if (!this.#deadlines.has(slot)) return;
    this.#deadlines.clear(slot);
    slot.spoiledBefore ||= this.#isSpoiled(slot);
    if (this.#options.stops.reached(slot.dueMs)) this.#options.stops.outstanding--;
  }

  #free(connection: Connection): void {
    const fresh = connection.state === 'opening';
    const waiting = this.pool.release(connection);
    if (waiting === undefined) return;
    connection.state = 'busy';
    waiting.connectedFor = fresh;
    this.#send(waiting, connection);
  }

  #detach(slot: Slot, connection: Connection): void {
    slot.connection = undefined;
    this.#detachFrom(connection);
  }

  #detachFrom(connection: Carrier): void {
    connection.slot = undefined;
    connection.connectMs = undefined;
  }

  /** An attempt that the target refused was delivered as far as it could be: it counts as fired when that was known. */
  #countFired(slot: Slot, nowMs: number): void {
    this.cells.at(nowMs, slot.phase, slot.chain[slot.step]!.index).counts.fired++;
    if (nowMs - slot.dueMs > this.#options.input.lateAboveMs) this.#countLate(slot, nowMs);
  }

  #countLate(slot: Slot, nowMs: number): void {
    const { counts } = this.#cellOf(slot);
    counts.firedLate++;
    if (this.#isHeld(slot)) counts.heldLate++;
    this.#leftQueue(slot, nowMs);
  }

  /** Who has thought is due when that is over, perhaps long after its phase: that it was late is no backlog of it. */
  #leftQueue(slot: Slot, nowMs: number): void {
    if (slot.thoughtMs === 0) this.queuedUntilMs[slot.phase] = nowMs;
  }

  #cellOf(slot: Slot): CellRecord {
    return this.cells.at(slot.dueMs, slot.phase, slot.chain[slot.step]!.index);
  }

  #deviceIndex(slot: Slot): number {
    const { deviceCount, workers } = this.#options.input;
    return Math.floor((slot.context.arrival % deviceCount) / workers);
  }

  #learn(slot: Slot, learned: { readonly token?: string; readonly secret?: string }): void {
    const index = this.#deviceIndex(slot);
    this.devices[index] = { ...this.devices[index]!, ...learned };
  }
}
