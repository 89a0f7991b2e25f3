/** Items: is what was acknowledged in the log of its user, once and in order? Pure, fed with each user's log in the order of its cursors. */
import { afterAcknowledged, arrivalState, deviceOfArrival, secondAcknowledged } from '#harness/engine/engine.ts';
import type { ItemLedgerRecord } from '#harness/run-result.ts';
import { type Population, type Promised, recipientOf, userOfArrival } from '#harness/target/item-laws.ts';
import { mayHave, originOf } from '#harness/target/stream-contract.ts';

const stateMask = 0x0f;
const seenBits = { write: 1, second: 2 } as const;
const examplesMax = 10;
const suspectsOfAKindMax = 1000;

export type ItemAuditInput = {
  readonly run: string;
  readonly states: Uint8Array;
  readonly population: Population;
  /** Does the arrival's chain write items? */
  readonly isItem: (arrival: number) => boolean;
};

/** What one reading of a log says against the service. What stands in the log of somebody who may not see it was read there: it needs no other witness. */
export type ItemSuspect = { readonly kind: 'lost-from-log' | 'duplicated' | 'reordered'; readonly arrival: number; readonly promised: Promised };

type LoggedChange = { readonly t: string; readonly ch: string; readonly k: string; readonly d?: unknown };
export type ItemAuditCounts = Pick<
  ItemLedgerRecord,
  'acknowledged' | 'unknown' | 'unknownFound' | 'lostFromLog' | 'logLength' | 'duplicated' | 'reordered' | 'leaked' | 'examples'
>;

export class ItemAudit {
  readonly #input: ItemAuditInput;
  readonly #seen: Uint8Array;
  /** By device: 1 + the furthest arrival whose write was met. */
  readonly #furthest: Float64Array;
  readonly #examples: ItemLedgerRecord['examples'][number][] = [];
  readonly #suspects: ItemSuspect[] = [];
  readonly #suspectCounts = { 'lost-from-log': 0, duplicated: 0, reordered: 0 };
  #logLength = 0;
  #duplicated = 0;
  #reordered = 0;
  #leaked = 0;

  constructor(input: ItemAuditInput) {
    this.#input = input;
    this.#seen = new Uint8Array(input.states.length);
    this.#furthest = new Float64Array(input.population.devices);
  }

  /** One change of a user's log. What this run did not write lies there from before. */
  see(user: number, change: LoggedChange): void {
    const origin = originOf(this.#input.run, change);
    if (origin === undefined || origin.arrival >= this.#input.states.length) return;
    this.#logLength++;
    if (!mayHave(user, origin, this.#input.population)) {
      this.#leaked++;
      return this.#example('leaked', `${change.ch} ${change.k} stands in the log of user ${user}, who may not see it`);
    }
    const bit = seenBits[origin.promised];
    if ((this.#seen[origin.arrival]! & bit) !== 0) {
      this.#duplicated++;
      this.#suspect('duplicated', origin.arrival, origin.promised);
      return this.#example('duplicated', `${change.ch} ${change.k} of user ${user} stands in the log twice`);
    }
    this.#seen[origin.arrival]! |= bit;
    if (origin.promised === 'write') this.#order(origin.arrival);
  }

  /** Recipients of acknowledged shares that are not in their inbox (yet: shares are delivered behind the acknowledgement). */
  missingRecipients(): readonly number[] {
    const { states, population } = this.#input;
    const missing = new Set<number>();
    for (let arrival = 0; arrival < states.length; arrival++)
      if (this.#isMissing(arrival, 'second')) missing.add(recipientOf(userOfArrival(arrival, population), population));
    return [...missing];
  }

  finish(): ItemAuditCounts {
    const { states, isItem } = this.#input;
    const sums = { acknowledged: 0, unknown: 0, unknownFound: 0, lostFromLog: 0 };
    for (let arrival = 0; arrival < states.length; arrival++) {
      if (!isItem(arrival)) continue;
      const state = states[arrival]! & stateMask;
      if (state === arrivalState.acknowledged) sums.acknowledged++;
      else if (state === arrivalState.unknown || state === arrivalState.inFlight) {
        sums.unknown++;
        if ((this.#seen[arrival]! & seenBits.write) !== 0) sums.unknownFound++;
      }
      if ((states[arrival]! & secondAcknowledged) !== 0) sums.acknowledged++;
      for (const promised of ['write', 'second'] as const) {
        if (!this.#isMissing(arrival, promised)) continue;
        sums.lostFromLog++;
        this.#suspect('lost-from-log', arrival, promised);
        this.#example('lost-from-log', `${promised === 'write' ? 'the write' : 'the delete or share'} of arrival ${arrival} was acknowledged and is in no log`);
      }
    }
    return { ...sums, logLength: this.#logLength, duplicated: this.#duplicated, reordered: this.#reordered, leaked: this.#leaked, examples: this.#examples };
  }

  /** At most 1,000 of a kind. Call it after `finish`. */
  suspects(): readonly ItemSuspect[] {
    return this.#suspects;
  }

  /** By a reading of all logs where the change may stand. */
  confirms({ kind, arrival, promised }: ItemSuspect): boolean {
    if (kind === 'lost-from-log') return this.#isMissing(arrival, promised);
    return this.#suspects.some((one) => one.kind === kind && one.arrival === arrival && one.promised === promised);
  }

  #isMissing(arrival: number, promised: Promised): boolean {
    const state = this.#input.states[arrival]!;
    const isPromised = promised === 'write' ? (state & stateMask) === arrivalState.acknowledged : (state & secondAcknowledged) !== 0;
    return isPromised && (this.#seen[arrival]! & seenBits[promised]) === 0 && this.#input.isItem(arrival);
  }

  /** As with events (README): the byte of the device's next arrival says whether this one was acknowledged before that was sent. */
  #order(arrival: number): void {
    const { states, population } = this.#input;
    const device = deviceOfArrival(arrival, population.devices);
    const furthest = this.#furthest[device]! - 1;
    if (furthest < arrival) {
      this.#furthest[device] = arrival + 1;
      return;
    }
    const next = arrival + population.devices;
    if (next >= states.length || (states[arrival]! & stateMask) !== arrivalState.acknowledged || (states[next]! & afterAcknowledged) === 0) return;
    this.#reordered++;
    this.#suspect('reordered', arrival, 'write');
  }

  #suspect(kind: ItemSuspect['kind'], arrival: number, promised: Promised): void {
    const known = this.#suspectCounts[kind]++;
    if (known < suspectsOfAKindMax) this.#suspects.push({ kind, arrival, promised });
  }

  #example(kind: ItemLedgerRecord['examples'][number]['kind'], text: string): void {
    if (this.#examples.length < examplesMax) this.#examples.push({ kind, text });
  }
}
