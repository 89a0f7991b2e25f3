// Counts and times by second, phase and reader, handed over each second and forgotten.
import { TimeRecorder } from '#harness/engine/native/time-recorder.ts';
import { emptyHistogram } from '#harness/metrics/histogram.ts';
import { type StreamCell, type StreamCounts, type StreamDelta, type StreamTimeName, streamTimeNames, type TimeHistograms } from '#harness/run-result.ts';

export type StreamCountName = keyof StreamCounts;
type Counts = Partial<Record<StreamCountName, number>>;

/** A server that writes its clock into every reason must not fill memory. */
const reasonsMax = 20;
const otherReasons = 'other';
const timeIndex = Object.fromEntries(streamTimeNames.map((name, index) => [name, index])) as Readonly<Record<StreamTimeName, number>>;

/** Where a count or a time belongs. */
export type CellKey = { readonly second: number; readonly phase: number; readonly reader: number };

export type PhaseBegun = { readonly phase: number; readonly startMs: number };

/** Of phases in the order of their starts: before the first one everything counts as its own. */
export const phaseAt = (phases: readonly PhaseBegun[], ms: number): number => (phases.findLast(({ startMs }) => startMs <= ms) ?? phases[0])?.phase ?? 0;

class StreamRecord {
  readonly key: CellKey;
  readonly counts: Counts = {};
  readonly spoiled: Counts = {};
  readonly reasons = new Map<string, number>();
  readonly #times = new Array<TimeRecorder | undefined>(streamTimeNames.length * 2).fill(undefined);
  readonly #spare: TimeRecorder[];
  held: StreamCell['held'] | undefined;

  constructor(key: CellKey, spare: TimeRecorder[]) {
    this.key = key;
    this.#spare = spare;
  }

  count(name: StreamCountName, by: number, spoiled: boolean): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
    if (spoiled) this.spoiled[name] = (this.spoiled[name] ?? 0) + by;
  }

  time(name: StreamTimeName, ms: number, spoiled: boolean): void {
    const at = timeIndex[name] * 2 + (spoiled ? 1 : 0);
    this.#times[at] ??= this.#spare.pop() ?? new TimeRecorder();
    this.#times[at].recordMs(ms);
  }

  reason(text: string): void {
    const name = this.reasons.has(text) || this.reasons.size < reasonsMax - 1 ? text : otherReasons;
    this.reasons.set(name, (this.reasons.get(name) ?? 0) + 1);
  }

  take(reader: string): StreamDelta['cells'][number] {
    const times: Partial<Record<StreamTimeName, TimeHistograms>> = {};
    for (const name of streamTimeNames) {
      const [clean, spoiled] = [this.#takeTimes(timeIndex[name] * 2), this.#takeTimes(timeIndex[name] * 2 + 1)];
      if (clean !== undefined || spoiled !== undefined) times[name] = { clean: clean ?? emptyHistogram, spoiled: spoiled ?? emptyHistogram };
    }
    const { second, phase } = this.key;
    const reasons = Object.fromEntries(this.reasons);
    return { second, phase, reader, counts: this.counts, spoiled: this.spoiled, times, reasons, ...(this.held === undefined ? {} : { held: this.held }) };
  }

  #takeTimes(at: number) {
    const recorder = this.#times[at];
    if (recorder === undefined) return undefined;
    this.#spare.push(recorder);
    return recorder.take();
  }
}

const phasesMax = 128;
const readersMax = 32;

export class StreamRecorder {
  readonly #readers: readonly string[];
  /** Ascending starts, in the order of the phases that were announced. */
  readonly #phases: PhaseBegun[] = [];
  readonly #spare: TimeRecorder[] = [];
  #records = new Map<number, StreamRecord>();

  constructor(readers: readonly string[]) {
    this.#readers = readers;
  }

  announce(phase: number, startMs: number): void {
    this.#phases.push({ phase, startMs });
  }

  keyAt(ms: number, reader: number): CellKey {
    return { second: Math.max(0, Math.floor(ms / 1000)), phase: phaseAt(this.#phases, ms), reader };
  }

  at(key: CellKey): StreamRecord {
    const name = (key.second * phasesMax + key.phase) * readersMax + key.reader;
    let record = this.#records.get(name);
    if (record === undefined) {
      record = new StreamRecord(key, this.#spare);
      this.#records.set(name, record);
    }
    return record;
  }

  take(): StreamDelta['cells'] {
    const cells = [...this.#records.values()].map((record) => record.take(this.#readers[record.key.reader] as string));
    this.#records = new Map();
    return cells;
  }
}
