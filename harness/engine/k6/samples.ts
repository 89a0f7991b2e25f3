/** k6's CSV, a chunk at a time: the script's samples and dropped iterations, and nothing of the dozen others that k6 writes for each request. */
import { type Kept, type OutcomeKind, sampleMetric } from './sample-format.ts';

export type RequestSample = {
  readonly kind: 'request';
  readonly arrival: number;
  readonly step: number;
  /** Wall clock, cut to whole milliseconds. */
  readonly phaseStartMs: number;
  readonly operation: string;
  readonly outcome: OutcomeKind;
  readonly kept: Kept;
  readonly reason: string;
  /** Wall clock: when the answer was complete, or given up. */
  readonly endedAtMs: number;
  readonly serviceMs: number;
  readonly connectMs: number | undefined;
};
export type K6Sample = RequestSample | { readonly kind: 'dropped'; readonly phase: string; readonly atMs: number; readonly count: number };

const droppedMetric = 'dropped_iterations';
/** After name, time and value come the system tags by name: error_code, scenario (of which there is one a phase), status. */
const scenarioColumn = 4;
/** Microseconds: `K6_CSV_TIME_FORMAT`. */
export const csvTimeFormat = 'unix_micro';

export class SampleReader {
  readonly #onSample: (sample: K6Sample) => void;
  #rest = '\n';

  constructor(onSample: (sample: K6Sample) => void) {
    this.#onSample = onSample;
  }

  push(text: string): void {
    const all = this.#rest + text;
    const end = all.lastIndexOf('\n');
    // Kept with the newline before it: a metric's name is looked for after one.
    this.#rest = all.slice(end);
    for (const metric of [sampleMetric, droppedMetric]) this.#find(all, metric, end);
  }

  #find(all: string, metric: string, end: number): void {
    const mark = `\n${metric},`;
    for (let at = all.indexOf(mark); at !== -1 && at < end; at = all.indexOf(mark, at + 1)) {
      const sample = parseLine(all.slice(at + 1, all.indexOf('\n', at + 1)));
      if (sample !== undefined) this.#onSample(sample);
    }
  }
}

/** `metric,time,value, … ,tag=value&tag=value,metadata`: neither our tags nor our metadata contain a comma. */
function parseLine(line: string): K6Sample | undefined {
  const columns = line.trimEnd().split(',');
  const atMs = Number(columns[1]) / 1000;
  const value = Number(columns[2]);
  const tags = pairsOf(columns.at(-2) ?? '');
  if (columns[0] === droppedMetric) return { kind: 'dropped', phase: columns[scenarioColumn] ?? '', atMs, count: value };
  const [arrival, step, phaseStart, connect] = (pairsOf(columns.at(-1) ?? '').get('place') ?? '').split(':');
  if (arrival === undefined || arrival === '' || step === undefined) return undefined;
  return {
    kind: 'request',
    arrival: Number(arrival),
    step: Number(step),
    phaseStartMs: Number(phaseStart),
    operation: tags.get('operation') ?? '',
    outcome: (tags.get('outcome') ?? 'failed') as OutcomeKind,
    kept: (tags.get('kept') ?? 'unknown') as Kept,
    reason: tags.get('reason') ?? '',
    endedAtMs: atMs,
    serviceMs: value,
    connectMs: connect === undefined || connect === '' ? undefined : Number(connect),
  };
}

function pairsOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('&').map((pair) => {
      const equals = pair.indexOf('=');
      return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
    }),
  );
}
