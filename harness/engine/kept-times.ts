/** When each arrival's promise was sent and acknowledged, for the evidence of an accusation: ten bytes an arrival, shared by the threads that write them. */

const bytesAnArrival = 10;
/** 50 MB; of a larger plan no times are kept. */
const arrivalsMax = 5_000_000;
/** A reading is kept in tenths of a millisecond: the last one that fits is of the 119th hour. */
const ticksAMs = 10;

/** Since the run's origin. */
export type KeptTime = { readonly sentMs: number; readonly acknowledgedMs: number; readonly status: number };

export const keptTimesMemory = (arrivals: number): SharedArrayBuffer => new SharedArrayBuffer(arrivals > arrivalsMax ? 0 : arrivals * bytesAnArrival);

export class KeptTimes {
  readonly #sent: Uint32Array;
  readonly #acknowledged: Uint32Array;
  readonly #statuses: Uint16Array;

  constructor(memory: SharedArrayBuffer) {
    const arrivals = memory.byteLength / bytesAnArrival;
    this.#sent = new Uint32Array(memory, 0, arrivals);
    this.#acknowledged = new Uint32Array(memory, arrivals * 4, arrivals);
    this.#statuses = new Uint16Array(memory, arrivals * 8, arrivals);
  }

  /** Where the memory has no place for it, nothing happens. */
  keep(arrival: number, { sentMs, acknowledgedMs, status }: KeptTime): void {
    this.#sent[arrival] = sentMs * ticksAMs;
    this.#acknowledged[arrival] = acknowledgedMs * ticksAMs;
    this.#statuses[arrival] = status;
  }

  /** Undefined for an arrival that was not acknowledged, or has no place. */
  of(arrival: number): KeptTime | undefined {
    const status = this.#statuses[arrival] ?? 0;
    if (status === 0) return undefined;
    return { sentMs: (this.#sent[arrival] as number) / ticksAMs, acknowledgedMs: (this.#acknowledged[arrival] as number) / ticksAMs, status };
  }
}
