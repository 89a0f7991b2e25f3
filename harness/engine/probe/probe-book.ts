/**
 * What became of the probe's arrivals, by their numbers, as its messages tell. A message may be lost, come twice or come late: whatever is missing is unknown, and
 * nothing is told of it.
 */
import { arrivalState } from '#harness/engine/engine.ts';
import { Histogram } from '#harness/metrics/histogram.ts';
import type { PhaseRecord, ProbeRecord } from '#harness/run-result.ts';
import { createInstants, type ProbePlan } from './instants.ts';
import type { ProbeMessage, ProbeSample } from './messages.ts';

export type ProbeOutcome = {
  readonly record: ProbeRecord;
  /** By the probe's own arrival number, for the ledger. */
  readonly states: Uint8Array;
  /** By the same number: when it was due, since the run's origin. */
  readonly plannedMs: readonly number[];
  /** Of a good answer, when its request was sent and it was read, since the run's origin. */
  readonly timeOf: (arrival: number) => { readonly sentMs: number; readonly acknowledgedMs: number } | undefined;
};

/** A sample that was sent later than this after its instant says nothing of that instant: as of the load. */
export const probeLateAboveMs = 100;

export class ProbeBook {
  readonly #plan: ProbePlan;
  readonly #samples = new Map<number, ProbeSample>();
  #first = 0;
  #end: number | undefined;
  #trouble: string | undefined;

  constructor(plan: ProbePlan) {
    this.#plan = plan;
  }

  hear(message: ProbeMessage): void {
    switch (message.kind) {
      case 'samples':
        for (const sample of message.samples) this.#samples.set(sample.arrival, sample);
        return;
      case 'begun':
        this.#first = message.arrival;
        return;
      case 'done':
        this.#end = message.arrival;
        return;
      case 'trouble':
        this.failed(message.text);
    }
  }

  /** The first trouble is the one that is told. */
  failed(text: string): void {
    this.#trouble ??= text;
  }

  outcome(phases: readonly PhaseRecord[]): ProbeOutcome {
    const plannedMs = this.#instants(phases);
    const states = new Uint8Array(plannedMs.length).fill(arrivalState.unknown);
    for (const { arrival, state } of this.#samples.values()) states[arrival] = state;
    const unheard = this.#end === undefined ? 'the probe ended before it had told of everything: what is missing is unknown' : undefined;
    const trouble = this.#trouble ?? (this.#samples.size === 0 ? 'the probe has no sample' : unheard);
    return {
      record: { seconds: this.#fold(plannedMs, phases), ...(trouble === undefined ? {} : { trouble }) },
      states,
      plannedMs,
      timeOf: (arrival) => this.#timeOf(arrival, plannedMs[arrival]),
    };
  }

  #timeOf(arrival: number, dueMs: number | undefined): ReturnType<ProbeOutcome['timeOf']> {
    const { behindMs, serviceMicros } = this.#samples.get(arrival) ?? {};
    if (dueMs === undefined || behindMs === undefined || serviceMicros === undefined) return undefined;
    return { sentMs: dueMs + behindMs, acknowledgedMs: dueMs + behindMs + serviceMicros / 1000 };
  }

  /** Every arrival that was due until the load's end, told of or not, and every later one that was told of. */
  #instants(phases: readonly PhaseRecord[]): readonly number[] {
    const endMs = (phases.at(-1)?.endSeconds ?? 0) * 1000;
    const toldOf = Math.max(this.#end ?? 0, headOf(this.#samples));
    const next = createInstants(this.#plan);
    const all: number[] = [];
    for (let dueMs = next(); dueMs < endMs || all.length < toldOf; dueMs = next()) all.push(dueMs);
    return all;
  }

  /** One entry a second and phase; what fell into no phase is left out. */
  #fold(dueMs: readonly number[], phases: readonly PhaseRecord[]): ProbeRecord['seconds'] {
    const cells = new Map<string, Cell>();
    for (let arrival = this.#first; arrival < dueMs.length; arrival++) {
      const atMs = dueMs[arrival] as number;
      const phase = phases.findIndex(({ startSeconds, endSeconds }) => atMs >= startSeconds * 1000 && atMs < endSeconds * 1000);
      if (phase < 0) continue;
      const second = Math.floor(atMs / 1000);
      const key = `${second}/${phase}`;
      const cell = cells.get(key) ?? { second, phase, service: new Histogram(), failed: 0, shed: 0, missing: 0, behindMsMax: 0 };
      cells.set(key, cell);
      count(cell, this.#samples.get(arrival));
    }
    return [...cells.values()].map(({ service, ...counts }) => ({ ...counts, service: service.toSparse() }));
  }
}

type Cell = {
  readonly second: number;
  readonly phase: number;
  readonly service: Histogram;
  failed: number;
  shed: number;
  missing: number;
  behindMsMax: number;
};

/** One more than the highest number that was told of. */
function headOf(samples: ReadonlyMap<number, ProbeSample>): number {
  let head = 0;
  for (const arrival of samples.keys()) head = Math.max(head, arrival + 1);
  return head;
}

function count(cell: Cell, sample: ProbeSample | undefined): void {
  const behindMs = sample?.behindMs ?? 0;
  cell.behindMsMax = Math.max(cell.behindMsMax, behindMs);
  if (sample === undefined || sample.kind === 'unsent' || behindMs > probeLateAboveMs) cell.missing++;
  else if (sample.kind === 'shed') cell.shed++;
  else if (sample.kind === 'failed' || sample.serviceMicros === undefined) cell.failed++;
  else cell.service.record(sample.serviceMicros);
}
