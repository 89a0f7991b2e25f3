// Counts and times by (second, phase, operation), handed over about once a second and forgotten: memory does not grow with a run.
import { emptyHistogram } from '#harness/metrics/histogram.ts';
import { type CellCounts, type SecondDelta, type TimeHistograms, type TimeName, timeNames } from '#harness/run-result.ts';
import { TimeRecorder } from './time-recorder.ts';

/** A server that writes its clock into every error must not fill memory. */
const reasonsMax = 20;
const otherReasons = 'other';

type MutableCounts = { -readonly [Name in keyof CellCounts]: number };

export const zeroCounts = (): MutableCounts => ({
  planned: 0,
  fired: 0,
  answered: 0,
  good: 0,
  shed: 0,
  failed: 0,
  timedOut: 0,
  cut: 0,
  inFlightAtEnd: 0,
  firedLate: 0,
  neverFired: 0,
  heldLate: 0,
  heldNever: 0,
  spoiledFailed: 0,
  waitedForConnection: 0,
  givenUp: 0,
});

/** Two for each time: clean and spoiled. Made when first needed, and reused by later seconds. */
type Recorders = (TimeRecorder | undefined)[];

export class CellRecord {
  readonly second: number;
  readonly phase: number;
  readonly operation: number;
  readonly counts = zeroCounts();
  readonly recorders: Recorders = new Array<TimeRecorder | undefined>(timeNames.length * 2).fill(undefined);
  readonly #spare: TimeRecorder[];
  #reasons: Map<string, number> | undefined;

  constructor(key: { second: number; phase: number; operation: number }, spare: TimeRecorder[]) {
    this.second = key.second;
    this.phase = key.phase;
    this.operation = key.operation;
    this.#spare = spare;
  }

  time(time: number, ms: number, spoiled: boolean): void {
    const at = time * 2 + (spoiled ? 1 : 0);
    let recorder = this.recorders[at];
    if (recorder === undefined) {
      recorder = this.#spare.pop() ?? new TimeRecorder();
      this.recorders[at] = recorder;
    }
    recorder.recordMs(ms);
  }

  reason(text: string): void {
    this.#reasons ??= new Map();
    const known = this.#reasons.has(text) || this.#reasons.size < reasonsMax - 1;
    const name = known ? text : otherReasons;
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1);
  }

  take(operation: string): SecondDelta['cells'][number] {
    const times: Partial<Record<TimeName, TimeHistograms>> = {};
    timeNames.forEach((name, index) => {
      const clean = this.#takeRecorder(index * 2);
      const spoiled = this.#takeRecorder(index * 2 + 1);
      if (clean !== undefined || spoiled !== undefined) times[name] = { clean: clean ?? emptyHistogram, spoiled: spoiled ?? emptyHistogram };
    });
    const counts = Object.fromEntries(Object.entries(this.counts).filter(([, count]) => count !== 0));
    return { second: this.second, phase: this.phase, operation, counts, times, reasons: Object.fromEntries(this.#reasons ?? []) };
  }

  #takeRecorder(at: number) {
    const recorder = this.recorders[at];
    if (recorder === undefined) return undefined;
    this.#spare.push(recorder);
    return recorder.take();
  }
}

/** Positions in `timeNames`, for the hot path. */
export const timeIndex = Object.fromEntries(timeNames.map((name, index) => [name, index])) as Readonly<Record<TimeName, number>>;

const phasesMax = 128;
const operationsMax = 128;

export class CellRecorder {
  readonly #operations: readonly string[];
  readonly #spare: TimeRecorder[] = [];
  #cells = new Map<number, CellRecord>();
  #last: CellRecord | undefined;

  constructor(operations: readonly string[]) {
    this.#operations = operations;
  }

  /** The cell of an instant since the run's origin. */
  at(ms: number, phase: number, operation: number): CellRecord {
    const second = Math.max(0, Math.floor(ms / 1000));
    const last = this.#last;
    if (last !== undefined && last.second === second && last.phase === phase && last.operation === operation) return last;
    const key = (second * phasesMax + phase) * operationsMax + operation;
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = new CellRecord({ second, phase, operation }, this.#spare);
      this.#cells.set(key, cell);
    }
    this.#last = cell;
    return cell;
  }

  take(): SecondDelta['cells'] {
    const cells = [...this.#cells.values()].map((cell) => cell.take(this.#operations[cell.operation]!));
    this.#cells = new Map();
    this.#last = undefined;
    return cells;
  }
}
