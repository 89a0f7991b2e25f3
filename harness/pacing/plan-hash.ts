// Names a plan: two runs with the same hash fired the same arrivals at the same instants.
import type { ThinkTimes } from '#harness/scenario.ts';
import type { ArrivalPhase } from './plan.ts';
import { hash32 } from './random.ts';
import { createSchedule } from './schedule.ts';

export type Plan = {
  readonly seed: number;
  readonly devices: number;
  readonly phases: readonly ArrivalPhase[];
  readonly chains: Readonly<Record<string, readonly string[]>>;
  readonly thinkTimes?: ThinkTimes | undefined;
};

/** Instants hashed of each phase: enough to tell another algorithm or another Math.log, and cheap for a plan of a day. */
const instantsHashed = 1000;

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  );

function* wordsOf(plan: Plan): Generator<number> {
  const { seed, devices, phases, chains, thinkTimes } = plan;
  const text = canonical({ seed, devices, phases, chains, thinkTimes });
  for (let i = 0; i < text.length; i++) yield text.charCodeAt(i);
  for (const [index, phase] of phases.entries()) {
    const schedule = createSchedule(phase, seed, index);
    // Nanoseconds.
    for (let i = 0; i < Math.min(instantsHashed, schedule.count); i++) yield Math.round(schedule.next() * 1e6);
  }
}

/** 16 hexadecimal digits. */
export function planHash(plan: Plan): string {
  let high = 0x243f6a88;
  let low = 0x85a308d3;
  for (const word of wordsOf(plan)) {
    high = hash32(high, word, 1);
    low = hash32(low, word, high);
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
