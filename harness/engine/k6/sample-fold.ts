/**
 * k6's samples into the same cells, evenness and ledger that the embedded engine writes. An arrival's instants follow from its number by
 * the plan; what k6 dropped, and what never came back as a sample, is load that was not delivered.
 */
import { afterAcknowledged, arrivalState, deviceOfArrival, secondAcknowledged } from '#harness/engine/engine.ts';
import { type CellRecord, CellRecorder, timeIndex } from '#harness/engine/native/cell-recorder.ts';
import { EvennessRecorder } from '#harness/engine/native/evenness-recorder.ts';
import { chainOfArrival } from '#harness/pacing/arrivals.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { createSchedule } from '#harness/pacing/schedule.ts';
import { thinkMsOf, thinkMsOfChain } from '#harness/pacing/think-time.ts';
import type { Acknowledgements, EvennessBins, SecondDelta } from '#harness/run-result.ts';
import { promiseKey } from '#harness/target/item-laws.ts';
import type { K6Plan } from './k6-plan.ts';
import type { K6Sample, RequestSample } from './samples.ts';

export type SampleFoldInput = {
  readonly plan: K6Plan;
  readonly phases: readonly ArrivalPhase[];
  /** Of which a chain's step is one. */
  readonly operations: readonly string[];
  /** Of the origin that all times of the result count from. */
  readonly originWallMs: number;
  /** Start of the first phase, since the origin. */
  readonly startMs: number;
  readonly lateAboveMs: number;
  /** Samples are of one machine: only then their times tell which of two came first. */
  readonly hasOneClock: boolean;
};

/** Of a longer chain's further steps nobody can tell whether a sample came twice. */
const stepsMax = 32;

/** A sample comes at most this long after the second that it belongs to, but for timeouts. */
const evennessHeldMs = 5000;

type Phase = {
  readonly index: number;
  readonly first: number;
  readonly startMs: number;
  /** When the plan wants its arrivals, from its start. */
  readonly offsetsMs: Float64Array;
  readonly evenness: EvennessRecorder;
};

export class SampleFold {
  readonly states: Uint8Array;
  /** Iterations that k6 dropped, of each phase. */
  readonly dropped: number[];
  /** Of each phase: when a late request was last fired, since origin; −Infinity where none was. */
  readonly queuedUntilMs: number[];
  /** Of each phase: what k6 said twice or never of an arrival. */
  unaccounted: readonly number[] = [];
  readonly #input: SampleFoldInput;
  readonly #cells: CellRecorder;
  readonly #operations: ReadonlyMap<string, number>;
  readonly #phases: readonly Phase[];
  /** Of each phase: arrivals of which a first request came, and samples that had come before. */
  readonly #begun: number[];
  readonly #doubled: number[];
  /** Of each arrival a bit a step of its chain, of which the sample came. */
  readonly #steps: Uint32Array;
  /** Of each arrival, since the origin; NaN: not yet. Order is judged when all samples are there, since those of several processes come mixed. */
  readonly #sentMs: Float64Array;
  readonly #acknowledgedMs: Float64Array;
  #acknowledged: { keys: number[]; atMs: number[] } = { keys: [], atMs: [] };

  constructor(input: SampleFoldInput) {
    const { plan, phases, operations, startMs } = input;
    this.#input = input;
    this.#cells = new CellRecorder(operations);
    this.#operations = new Map(operations.map((name, index) => [name, index]));
    const last = plan.phases.at(-1);
    const arrivals = last === undefined ? 0 : last.firstArrival + last.count;
    this.states = new Uint8Array(arrivals);
    this.#sentMs = new Float64Array(arrivals).fill(Number.NaN);
    this.#acknowledgedMs = new Float64Array(arrivals).fill(Number.NaN);
    this.dropped = plan.phases.map(() => 0);
    this.queuedUntilMs = plan.phases.map(() => Number.NEGATIVE_INFINITY);
    this.#begun = plan.phases.map(() => 0);
    this.#doubled = plan.phases.map(() => 0);
    this.#steps = new Uint32Array(arrivals);
    this.#phases = plan.phases.map((phase, index) => {
      const start = startMs + phase.startMs;
      const evenness = new EvennessRecorder({ phase: index, startMs: start, durationMs: phase.durationMs });
      return {
        index,
        first: phase.firstArrival,
        startMs: start,
        offsetsMs: offsetsOf(phases[index] as ArrivalPhase),
        evenness,
      };
    });
  }

  add(sample: K6Sample): void {
    if (sample.kind === 'request') this.#request(sample);
    else this.#drop(sample);
  }

  /** Everything since the last call. */
  takeDelta(nowMs: number): SecondDelta {
    const evenness = this.#phases.flatMap((phase) => phase.evenness.take(nowMs - evennessHeldMs, false));
    return this.#deltaOf(evenness);
  }

  /** When the last sample is there. Arrivals due from `cutMs` on were never planned. */
  finish(cutMs = Number.POSITIVE_INFINITY): SecondDelta {
    const evenness: EvennessBins[] = [];
    this.unaccounted = this.#phases.map(({ index, offsetsMs }) => {
      if (cutMs !== Number.POSITIVE_INFINITY) return 0;
      return Math.abs(offsetsMs.length - (this.#begun[index] ?? 0) - (this.dropped[index] ?? 0)) + (this.#doubled[index] ?? 0);
    });
    for (const phase of this.#phases) {
      this.#missing(phase, cutMs);
      if (cutMs !== Number.POSITIVE_INFINITY) phase.evenness.cut(cutMs);
      evenness.push(...phase.evenness.take(Number.POSITIVE_INFINITY, true));
    }
    if (this.#input.hasOneClock) this.#judgeOrder();
    return this.#deltaOf(evenness);
  }

  #deltaOf(evenness: EvennessBins[]): SecondDelta {
    const acknowledged = this.#takeAcknowledged();
    return { cells: this.#cells.take(), evenness, ...(acknowledged === undefined ? {} : { acknowledged }) };
  }

  #request(sample: RequestSample): void {
    const { arrival } = sample;
    const phase = this.#phases.findLast(({ first }) => first <= arrival);
    const operation = this.#operations.get(sample.operation);
    if (phase === undefined || operation === undefined || arrival >= this.states.length) return;
    if (this.#isDoubled(phase, sample)) return;
    const endMs = sample.endedAtMs - this.#input.originWallMs;
    const sentMs = endMs - sample.serviceMs;
    // k6 begins a phase when it can; within it, its plan counts from there.
    const beginMs = Math.max(phase.startMs, sample.phaseStartMs - this.#input.originWallMs);
    const intendedMs = beginMs + (phase.offsetsMs[arrival - phase.first] as number);
    const dueMs = sample.step === 0 ? intendedMs : sentMs;
    const cell = this.#cells.at(dueMs, phase.index, operation);
    cell.counts.planned++;
    if (sample.step === 0) this.#begin(phase, arrival, { intendedMs, sentMs });
    if (sample.outcome !== 'good') this.#firstCellOf(phase, arrival, intendedMs).counts.givenUp++;
    if (sample.outcome === 'own-limit') return this.#undelivered(cell, sample);
    if (sentMs - dueMs > this.#input.lateAboveMs) {
      cell.counts.firedLate++;
      this.queuedUntilMs[phase.index] = Math.max(this.queuedUntilMs[phase.index] ?? 0, sentMs);
    }
    this.#cells.at(sentMs, phase.index, operation).counts.fired++;
    if (isAnswer(sample.outcome)) this.#cells.at(endMs, phase.index, operation).counts.answered++;
    this.#keep(sample, endMs);
    this.#count(sample, cell, { endMs, intendedMs });
    const isLast = sample.step === this.#chainOf(phase, arrival).length - 1;
    if (!isLast || sample.outcome !== 'good') return;
    const chainMs = endMs - intendedMs - this.#thoughtMs(phase, arrival);
    this.#cells.at(intendedMs, phase.index, operation).time(timeIndex.chain, Math.max(0, chainMs), false);
  }

  /** The first sample of an arrival's step tells of it; another one makes neither another request nor another answer. */
  #isDoubled({ index }: Phase, { arrival, step }: RequestSample): boolean {
    if (step >= stepsMax) return false;
    const bit = 1 << step;
    if ((this.#steps[arrival]! & bit) !== 0) {
      this.#doubled[index] = (this.#doubled[index] ?? 0) + 1;
      return true;
    }
    this.#steps[arrival]! |= bit;
    return false;
  }

  #begin(phase: Phase, arrival: number, { intendedMs, sentMs }: { readonly intendedMs: number; readonly sentMs: number }): void {
    this.#begun[phase.index] = (this.#begun[phase.index] ?? 0) + 1;
    phase.evenness.planned(intendedMs);
    phase.evenness.fired(sentMs);
    this.#sentMs[arrival] = sentMs;
  }

  #undelivered(cell: CellRecord, { arrival, reason }: RequestSample): void {
    cell.counts.neverFired++;
    cell.reason(`generator out of means: ${reason}`);
    this.#mark(arrival, arrivalState.notFired);
  }

  #count(sample: RequestSample, cell: CellRecord, { endMs, intendedMs }: { readonly endMs: number; readonly intendedMs: number }): void {
    const late = sample.step === 0 && endMs - intendedMs > this.#input.plan.goodWithinMs;
    if (sample.outcome === 'shed') cell.counts.shed++;
    else if (sample.outcome !== 'good' || late) {
      cell.counts.failed++;
      if (sample.outcome === 'timeout') cell.counts.timedOut++;
      if (sample.outcome === 'cut') cell.counts.cut++;
      cell.reason(sample.outcome === 'timeout' ? 'timeout' : sample.outcome === 'good' ? 'late' : sample.reason);
    } else {
      cell.counts.good++;
      cell.time(timeIndex.service, sample.serviceMs, false);
      if (sample.step === 0) cell.time(timeIndex.response, Math.max(0, endMs - intendedMs), false);
      if (sample.connectMs !== undefined) cell.time(timeIndex.connect, sample.connectMs, false);
    }
  }

  #keep({ arrival, kept }: RequestSample, endMs: number): void {
    switch (kept) {
      case 'acknowledged':
        this.#acknowledgedMs[arrival] = endMs;
        this.#promise(promiseKey(arrival, 'write'), endMs);
        return this.#mark(arrival, arrivalState.acknowledged);
      case 'promised-second':
        this.states[arrival] = (this.states[arrival] ?? 0) | secondAcknowledged;
        return this.#promise(promiseKey(arrival, 'second'), endMs);
      case 'refused':
        return this.#mark(arrival, arrivalState.refused);
      case 'unknown':
        return this.#mark(arrival, arrivalState.unknown);
      case 'stored-nothing':
      case 'not-sent':
        return this.#mark(arrival, arrivalState.notFired);
    }
  }

  #promise(key: number, atMs: number): void {
    if (this.#input.plan.items === undefined) return;
    this.#acknowledged.keys.push(key);
    this.#acknowledged.atMs.push(atMs);
  }

  #takeAcknowledged(): Acknowledgements | undefined {
    const taken = this.#acknowledged;
    this.#acknowledged = { keys: [], atMs: [] };
    return taken.keys.length === 0 ? undefined : taken;
  }

  /** What one step of a chain had acknowledged stays so, whatever becomes of the later ones; they may come in any order. */
  #mark(arrival: number, state: number): void {
    const before = this.states[arrival] ?? 0;
    if ((before & 0x0f) !== arrivalState.acknowledged) this.states[arrival] = state | (before & 0xf0);
  }

  #drop({ phase: name, count }: Extract<K6Sample, { kind: 'dropped' }>): void {
    const index = this.#input.plan.phases.findIndex((phase) => phase.name === name);
    if (index !== -1) this.dropped[index] = (this.dropped[index] ?? 0) + count;
  }

  /** So many as k6 dropped were never fired, the earliest, since it ends with what it is in the middle of: the others may have been sent, and were in flight. */
  #missing(phase: Phase, cutMs: number): void {
    const missing = [...phase.offsetsMs.entries()].filter(
      ([i, offsetMs]) => Number.isNaN(this.#sentMs[phase.first + i] as number) && phase.startMs + offsetMs < cutMs,
    );
    const dropped = this.dropped[phase.index] ?? 0;
    // Which of them it dropped nobody knows.
    const state = missing.length > dropped || (this.unaccounted[phase.index] ?? 0) > 0 ? arrivalState.unknown : arrivalState.notFired;
    for (const [place, [i, offsetMs]] of missing.entries()) {
      const arrival = phase.first + i;
      const intendedMs = phase.startMs + offsetMs;
      const { counts } = this.#firstCellOf(phase, arrival, intendedMs);
      counts.planned++;
      if (place < dropped) counts.neverFired++;
      else {
        counts.fired++;
        counts.inFlightAtEnd++;
      }
      counts.givenUp++;
      phase.evenness.planned(intendedMs);
      if (this.states[arrival] === arrivalState.notPlanned) this.states[arrival] = state;
    }
  }

  #firstCellOf(phase: Phase, arrival: number, intendedMs: number): CellRecord {
    return this.#cells.at(intendedMs, phase.index, this.#operations.get(this.#chainOf(phase, arrival)[0] ?? '') ?? 0);
  }

  #chainOf(phase: Phase, arrival: number): readonly string[] {
    return this.#input.plan.chains[this.#chainNameOf(phase, arrival)] ?? [];
  }

  #chainNameOf({ index }: Phase, arrival: number): string {
    const { plan } = this.#input;
    const traffic = plan.phases[index]?.traffic ?? [];
    return traffic[chainOfArrival(traffic, plan.seed, arrival)]?.chain ?? '';
  }

  #thoughtMs(phase: Phase, arrival: number): number {
    const { thinkTimes, seed } = this.#input.plan;
    if (thinkTimes === undefined) return 0;
    return thinkMsOfChain(thinkTimes, this.#chainNameOf(phase, arrival), (time, step) => thinkMsOf(time, { seed, arrival, step }));
  }

  /** When an arrival was sent, had the one before it of the same device been acknowledged, and no later one been sent? From the end on, so that the later ones are known. */
  #judgeOrder(): void {
    const { deviceCount } = this.#input.plan;
    const laterSentMs = new Float64Array(deviceCount).fill(Number.POSITIVE_INFINITY);
    for (let arrival = this.states.length - 1; arrival >= deviceCount; arrival--) {
      const device = deviceOfArrival(arrival, deviceCount);
      const sentMs = this.#sentMs[arrival] as number;
      const later = laterSentMs[device] as number;
      const before = this.#acknowledgedMs[arrival - deviceCount] as number;
      // Neither holds of one that was not sent: its instant is no number.
      if (before < sentMs && sentMs <= later) this.states[arrival] = (this.states[arrival] ?? 0) | afterAcknowledged;
      if (sentMs < later) laterSentMs[device] = sentMs;
    }
  }
}

const isAnswer = (outcome: RequestSample['outcome']): boolean => outcome === 'good' || outcome === 'shed' || outcome === 'failed';

function offsetsOf(phase: ArrivalPhase): Float64Array {
  const schedule = createSchedule({ ...phase, spacing: 'uniform' }, 0, 0);
  return Float64Array.from({ length: schedule.count }, () => schedule.next());
}
