/** What an arrival is kept in the ledger as: it follows from the plan. Pure. */

import { chainOfArrival, firstArrivals } from '#harness/pacing/arrivals.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import type { Operation } from '#harness/target/operation.ts';

export type Plan = {
  readonly seed: number;
  readonly phases: readonly ArrivalPhase[];
  readonly chains: Readonly<Record<string, readonly string[]>>;
  readonly operations: readonly Operation[];
};

/** Undefined for an arrival that stores nothing. */
export function createKinds({ seed, phases, chains, operations }: Plan): (arrival: number) => Operation['keeps'] {
  const first = firstArrivals(phases);
  const kinds = phases.map(({ traffic }) => traffic.map(({ chain }) => kindOfChain(chains[chain] ?? [], operations)));
  const uniform = new Set(kinds.flat());
  if (uniform.size === 1) {
    const [only] = uniform;
    return () => only;
  }
  let phase = 0;
  return (arrival) => {
    // Asked in ascending order nearly always: the phase is the last one or the next.
    while (arrival < (first[phase] as number)) phase--;
    while (arrival >= (first[phase + 1] as number)) phase++;
    return kinds[phase]?.[chainOfArrival((phases[phase] as ArrivalPhase).traffic, seed, arrival)];
  };
}

const kindOfChain = (chain: readonly string[], operations: readonly Operation[]): Operation['keeps'] =>
  chain.map((step) => operations.find(({ name }) => name === step)?.keeps).find((keeps) => keeps !== undefined);

/** The states with every arrival of another kind left out, as if it had not been planned. */
export function statesOfKind(states: Uint8Array, kindOf: (arrival: number) => Operation['keeps'], kind: Operation['keeps']): Uint8Array {
  const own = new Uint8Array(states.length);
  for (let arrival = 0; arrival < states.length; arrival++) if (kindOf(arrival) === kind) own[arrival] = states[arrival]!;
  return own;
}
