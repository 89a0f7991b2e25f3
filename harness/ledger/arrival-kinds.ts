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

/** What `ofChain` says of the chain that an arrival starts. */
export function createLookup<T>({ seed, phases, chains, operations }: Plan, ofChain: (chain: readonly Operation[]) => T): (arrival: number) => T {
  const first = firstArrivals(phases);
  const operationsOf = (chain: readonly string[]): readonly Operation[] => chain.flatMap((step) => operations.find(({ name }) => name === step) ?? []);
  const said = phases.map(({ traffic }) => traffic.map(({ chain }) => ofChain(operationsOf(chains[chain] ?? []))));
  const uniform = new Set(said.flat());
  if (uniform.size === 1) {
    const [only] = uniform as Set<T>;
    return () => only as T;
  }
  let phase = 0;
  return (arrival) => {
    // Asked in ascending order nearly always: the phase is the last one or the next.
    while (arrival < (first[phase] as number)) phase--;
    while (arrival >= (first[phase + 1] as number)) phase++;
    return said[phase]?.[chainOfArrival((phases[phase] as ArrivalPhase).traffic, seed, arrival)] as T;
  };
}

/** Undefined for an arrival that stores nothing. A device that sends events or writes items in the same chain is kept as those: they were acknowledged one by one. */
export function keptAs(chain: readonly Operation[]): Operation['keeps'] {
  const kinds = chain.flatMap(({ keeps }) => keeps ?? []);
  return kinds.find((keeps) => keeps !== 'device') ?? kinds[0];
}

export const isAsLoud = (chain: readonly Operation[]): boolean => chain.some(({ asLoud }) => asLoud === true);

/** The states with every arrival of another kind left out, as if it had not been planned. */
export function statesOfKind(states: Uint8Array, kindOf: (arrival: number) => Operation['keeps'], kind: Operation['keeps']): Uint8Array {
  const own = new Uint8Array(states.length);
  for (let arrival = 0; arrival < states.length; arrival++) if (kindOf(arrival) === kind) own[arrival] = states[arrival]!;
  return own;
}
