/** The ledger's bytes as one worker writes them: what became of each of its arrivals. */
import { afterAcknowledged, arrivalState, deviceOfArrival, secondAcknowledged } from '#harness/engine/engine.ts';
import type { Judgement } from '#harness/target/operation.ts';

const stateBits = 0x0f;
/** A complete refusal stores nothing by contract: 4xx, and 503. After any other 5xx nobody knows. */
export const isRefusal = (status: number): boolean => (status >= 400 && status < 500) || status === 503;

export class ArrivalStates {
  readonly #states: Uint8Array;
  readonly #deviceCount: number;
  /** By device: the furthest of its arrivals that was sent. A later phase's arrival may go out before what waits of an earlier one. */
  readonly #furthest: Float64Array;

  constructor(states: Uint8Array, deviceCount: number) {
    this.#states = states;
    this.#deviceCount = deviceCount;
    this.#furthest = new Float64Array(deviceCount).fill(-1);
  }

  /** A request goes out. Whether it has a place in its device's order (`afterAcknowledged`) is decided by the arrival's first one. */
  sending(arrival: number, isFirst: boolean): void {
    // Another try, and a later step, go out when others of its device may have been sent meanwhile: in the order of arrivals only the first ones go.
    const bit = isFirst ? this.#orderBit(arrival) : this.#states[arrival]! & afterAcknowledged;
    this.#set(arrival, arrivalState.inFlight | bit);
  }

  /** A try of it was sent, and nobody knows what became of that. */
  mayBeThere(arrival: number): boolean {
    return (this.#states[arrival]! & stateBits) === arrivalState.unknown;
  }

  mark(arrival: number, state: number): void {
    this.#set(arrival, state | (this.#states[arrival]! & afterAcknowledged));
  }

  /** By a complete answer, whether it came in time or not. One that is good and acknowledges no event (a device's token) leaves the arrival's events unsent, unless a registration is all that the arrival is about. True where just this answer acknowledged the arrival. */
  answered(arrival: number, judgement: Judgement, status: number, isRegistration = false): boolean {
    const before = this.#states[arrival]! & stateBits;
    if (judgement.kind === 'good' && judgement.promised === 'second') this.#states[arrival]! |= secondAcknowledged;
    else if (judgement.kind === 'good')
      this.mark(arrival, isRegistration || judgement.acknowledged + judgement.duplicate > 0 ? arrivalState.acknowledged : arrivalState.notFired);
    else this.mark(arrival, judgement.kind === 'shed' || isRefusal(status) ? arrivalState.refused : arrivalState.unknown);
    return before !== arrivalState.acknowledged && (this.#states[arrival]! & stateBits) === arrivalState.acknowledged;
  }

  /**
   * What one step of a chain had acknowledged stays so, whatever becomes of the later ones. And what may be there since a try was cut may be there for good: another try that is
   * refused does not take it back.
   */
  #set(arrival: number, state: number): void {
    const before = this.#states[arrival]! & stateBits;
    if (before === arrivalState.acknowledged) return;
    if (before === arrivalState.unknown && (state & stateBits) !== arrivalState.acknowledged) return;
    this.#states[arrival] = state;
  }

  #orderBit(arrival: number): number {
    const device = deviceOfArrival(arrival, this.#deviceCount);
    if ((this.#furthest[device] as number) > arrival) return 0;
    this.#furthest[device] = arrival;
    const before = arrival - this.#deviceCount;
    const state = before >= 0 ? this.#states[before]! & stateBits : arrivalState.notPlanned;
    return state === arrivalState.acknowledged ? afterAcknowledged : 0;
  }
}
