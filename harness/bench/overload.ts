/**
 * What becomes of the generator when a target takes a third of what is planned: does it account for every arrival, stay as cheap as
 * before, never stand still itself, and is it as quick as before once the overload is over? Beside k6 and vegeta.
 */
import { median } from '#harness/metrics/growth.ts';
import { atLeast, atMost, type Bench, round } from './bench.ts';
import { connectMicrosOf } from './overload/connecting.ts';
import { type OwnOverload, overloadOurs } from './overload/ours.ts';
import { overloadPeers } from './overload/peers.ts';
import { capacityPerSecond, type OverloadPlan, planOf } from './overload/plan.ts';
import { stealShareDuring } from './steal.ts';

const heldMany = 10_000;
const inFlightBytesMax = 4096;

type Connecting = { readonly alone: number; readonly besideMany: number };

function barsOf(rounds: readonly OwnOverload[], connecting: Connecting) {
  const of = (pick: (one: OwnOverload) => number): number => median(rounds.map(pick));
  const worstConnect = Math.max(connecting.alone, connecting.besideMany);
  return [
    atMost('arrivals that are not accounted for', Math.max(...rounds.map(({ unaccounted }) => unaccounted)), 0),
    atLeast('requests that the target saw ÷ fired', Math.min(...rounds.map(({ seen, counts }) => seen.requests / counts.fired)), 0.999),
    atMost(
      "CPU a planned arrival in the overload ÷ the first phase's",
      of(({ cpuMicros }) => cpuMicros.over / cpuMicros.before),
      1.5,
    ),
    atMost(
      "longest stop of the engine's loop in the overload, ms",
      of(({ stopMaxMs }) => stopMaxMs),
      50,
    ),
    atMost(
      "connecting ÷ the engine's CPU in the overload",
      of(({ opened, cpuMicrosTotal }) => (opened * worstConnect) / cpuMicrosTotal.over),
      0.05,
    ),
    atMost(
      "p99 from the timeout and 2 s after the overload on ÷ the first phase's",
      // Where the first was none there is nothing to compare with.
      of(({ p99Ms }) => (Number.isFinite(p99Ms.before) ? p99Ms.after / p99Ms.before : Number.MAX_VALUE)),
      2,
    ),
    atMost(
      'memory more in the overload, bytes an arrival in flight',
      of(({ bytesInFlight }) => bytesInFlight),
      inFlightBytesMax,
    ),
  ];
}

function figuresOf(rounds: readonly OwnOverload[], connecting: Connecting): Record<string, number> {
  const of = (pick: (one: OwnOverload) => number): number => round(median(rounds.map(pick)), 4);
  return {
    headroom_planned: of(({ counts }) => counts.planned),
    headroom_fired: of(({ counts }) => counts.fired),
    headroom_never_fired: of(({ counts }) => counts.neverFired),
    headroom_unaccounted: of(({ unaccounted }) => unaccounted),
    headroom_cpu_us_a_planned: of(({ cpuMicros }) => cpuMicros.whole),
    headroom_p99_before_ms: of(({ p99Ms }) => p99Ms.before),
    headroom_p99_after_ms: of(({ p99Ms }) => p99Ms.after),
    cpu_us_a_planned_before: of(({ cpuMicros }) => cpuMicros.before),
    cpu_us_a_planned_over: of(({ cpuMicros }) => cpuMicros.over),
    fired_late: of(({ counts }) => counts.firedLate),
    timed_out: of(({ counts }) => counts.timedOut),
    connections_opened_over: of(({ opened }) => opened),
    connect_us: round(connecting.alone),
    [`connect_us_beside_${heldMany}`]: round(connecting.besideMany),
  };
}

async function peersOf(plan: OverloadPlan, say: (line: string) => void, signal: AbortSignal) {
  const figures: Record<string, number | null> = {};
  const tools: string[] = [];
  for (const peer of overloadPeers) {
    if (signal.aborted) break;
    const program = peer.find();
    if (program === undefined) {
      say(`not on PATH, left out: ${peer.name}`);
      continue;
    }
    const seen = await peer.run(plan, program, signal);
    tools.push(peer.name);
    for (const [name, value] of Object.entries(seen)) figures[`${peer.name}_${name}`] = value === null ? null : round(value, 4);
  }
  return { figures, tools };
}

export const overloadBench: Bench = {
  name: 'overload',
  about: `a target that takes ${capacityPerSecond}/s, asked for 0.8, 3 and 0.8 of it: every arrival accounted for, CPU, stops, connecting, recovery`,
  runs: 1,
  seconds: 20,
  run: async ({ runs, seconds, say, signal }) => {
    const steal = stealShareDuring();
    const plan = planOf(seconds);
    const connecting = { alone: await connectMicrosOf(0), besideMany: await connectMicrosOf(heldMany) };
    say(`connecting: ${connecting.alone.toFixed(1)} µs, ${connecting.besideMany.toFixed(1)} beside ${heldMany} that are open`);
    const rounds: OwnOverload[] = [];
    for (let seed = 1; seed <= runs && !signal.aborted; seed++) rounds.push(await overloadOurs({ plan, seed, say, signal }));
    const peers = await peersOf(plan, say, signal);
    return {
      name: 'overload',
      tools: ['headroom', ...peers.tools],
      figures: { ...figuresOf(rounds, connecting), ...peers.figures, steal_share: steal() },
      bars: barsOf(rounds, connecting),
    };
  },
};
