/** The comparison itself: pure, fed with event ids in the export's order. */
import { afterAcknowledged, arrivalState, deviceOfArrival } from '#harness/engine/engine.ts';
import { type LedgerRecord, type Suspicion, suspicions } from '#harness/run-result.ts';

type Example = LedgerRecord['examples'][number];
const examplesOfAKindMax = 10;
/** So many events can be asked for again one by one; of further ones nothing is confirmed. */
export const suspectsOfAKindMax = 10_000;
const stateMask = 0x0f;

/** What one reading says against the service: nobody is accused by it alone. */
export type Suspect = { readonly kind: Suspicion; readonly eventId: string; readonly arrival: number };

export type AuditInput = {
  /** From the engine: one state an arrival. */
  readonly states: Uint8Array;
  readonly devices: number;
  readonly eventsPerBatch: number;
  /** False for an arrival that another device sent: its place among its own device's arrivals means nothing. */
  readonly isOrdered: (arrival: number) => boolean;
  /** The event's place in the plan, or undefined for an id that this run did not make. */
  readonly parseEventId: (id: string) => { readonly arrival: number; readonly index: number } | undefined;
  readonly eventIdOf: (arrival: number, index: number) => string;
};

export type AuditCounts = Pick<
  LedgerRecord,
  'acknowledged' | 'refused' | 'unknown' | 'lost' | 'duplicated' | 'reordered' | 'unknownFound' | 'refusedFound' | 'foreign' | 'examples'
>;

export class Audit {
  readonly #input: AuditInput;
  /** One bit an event: seen in the export. */
  readonly #seen: Uint8Array;
  /** By device: 1 + the place (arrival · events a batch + index) of its furthest event so far. */
  readonly #furthest: Float64Array;
  readonly #examples: Example[] = [];
  readonly #suspects: Readonly<Record<Suspicion, Suspect[]>> = { lost: [], duplicated: [], reordered: [] };
  readonly #suspected = new Set<string>();
  #duplicated = 0;
  #reordered = 0;
  #foreign = 0;

  constructor(input: AuditInput) {
    this.#input = input;
    this.#seen = new Uint8Array(Math.ceil((input.states.length * input.eventsPerBatch) / 8));
    this.#furthest = new Float64Array(input.devices);
  }

  /** One line of the export. Events of one device must come in the order of their positions. */
  see(eventId: string): void {
    const { states, eventsPerBatch, devices, isOrdered } = this.#input;
    const parsed = this.#input.parseEventId(eventId);
    if (parsed === undefined || parsed.arrival >= states.length || parsed.index >= eventsPerBatch) {
      this.#foreign++;
      this.#example('foreign', eventId);
      return;
    }
    const place = parsed.arrival * eventsPerBatch + parsed.index;
    if (this.#isSeen(place)) {
      this.#duplicated++;
      this.#suspect('duplicated', eventId, parsed.arrival);
      return;
    }
    this.#seen[place >>> 3]! |= 1 << (place & 7);
    if (!isOrdered(parsed.arrival)) return;
    const device = deviceOfArrival(parsed.arrival, devices);
    const furthest = this.#furthest[device]! - 1;
    if (furthest < place) this.#furthest[device] = place + 1;
    else if (this.#wasAcknowledgedBefore(parsed.arrival, Math.floor(furthest / eventsPerBatch))) {
      this.#reordered++;
      this.#suspect('reordered', eventId, parsed.arrival);
    }
  }

  /** Call after the last line of the last page. */
  finish(): AuditCounts {
    const { states, eventsPerBatch, eventIdOf } = this.#input;
    const sums = { acknowledged: 0, refused: 0, unknown: 0, lost: 0, unknownFound: 0, refusedFound: 0 };
    for (let arrival = 0; arrival < states.length; arrival++) {
      const state = states[arrival]! & stateMask;
      if (state === arrivalState.notPlanned || state === arrivalState.notFired) continue;
      for (let index = 0; index < eventsPerBatch; index++) {
        const seen = this.#isSeen(arrival * eventsPerBatch + index);
        if (state === arrivalState.acknowledged) {
          sums.acknowledged++;
          if (!seen) {
            sums.lost++;
            this.#suspect('lost', eventIdOf(arrival, index), arrival);
          }
        } else if (state === arrivalState.refused) {
          sums.refused++;
          if (seen) {
            sums.refusedFound++;
            this.#example('refused-found', eventIdOf(arrival, index));
          }
        } else {
          sums.unknown++;
          if (seen) sums.unknownFound++;
        }
      }
    }
    return { ...sums, duplicated: this.#duplicated, reordered: this.#reordered, foreign: this.#foreign, examples: this.#examples };
  }

  /** At most so many of a kind; of the lost ones once it is finished. */
  suspects(): readonly Suspect[] {
    return suspicions.flatMap((kind) => this.#suspects[kind]);
  }

  isSuspect(kind: Suspicion, eventId: string): boolean {
    return this.#suspected.has(`${kind} ${eventId}`);
  }

  /** Seen at least once. */
  has(eventId: string): boolean {
    const parsed = this.#input.parseEventId(eventId);
    return parsed !== undefined && this.#isSeen(parsed.arrival * this.#input.eventsPerBatch + parsed.index);
  }

  #isSeen(place: number): boolean {
    return (this.#seen[place >>> 3]! & (1 << (place & 7))) !== 0;
  }

  #wasAcknowledgedBefore(arrival: number, later: number): boolean {
    // Events of one batch: the batch is one request, so their order is the batch's.
    if (later === arrival) return true;
    const next = arrival + this.#input.devices;
    const states = this.#input.states;
    return next < states.length && (states[arrival]! & stateMask) === arrivalState.acknowledged && (states[next]! & afterAcknowledged) !== 0;
  }

  #suspect(kind: Suspicion, eventId: string, arrival: number): void {
    const all = this.#suspects[kind];
    if (all.length < suspectsOfAKindMax) {
      all.push({ kind, eventId, arrival });
      this.#suspected.add(`${kind} ${eventId}`);
    }
    this.#example(kind, eventId);
  }

  #example(kind: Example['kind'], eventId: string): void {
    if (this.#examples.filter((example) => example.kind === kind).length < examplesOfAKindMax) this.#examples.push({ kind, eventId });
  }
}
