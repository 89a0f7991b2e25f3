/**
 * Does the engine stay whole under a target that resets, cuts, falls silent and stands still? Every arrival has to end as something, no descriptor may be left over,
 * and memory has to stay: what the epoll wire does by system calls of its own nobody else cleans up.
 */
import { readdirSync } from 'node:fs';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { CellFold } from '#harness/metrics/fold.ts';
import { type Growth, growthOf } from '#harness/metrics/growth.ts';
import { atLeast, atMost, type Bench, round } from './bench.ts';
import { engineInput, residentWhileDriven } from './engine-load.ts';
import type { Deeds } from './rough-target.ts';
import { startTargetProcess } from './target-process.ts';

const ratePerSecond = 2000;
const timeoutMs = 500;
const bytesPerSecondMax = 96 * 1024;

const descriptors = (): number => readdirSync('/proc/self/fd').length;

type Soaked = {
  readonly wire: string;
  readonly deeds: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<'planned' | 'good' | 'failed' | 'neverFired', number>>;
  readonly descriptorsLeft: number;
  readonly growth: Growth;
};

async function soak(seconds: number, say: (line: string) => void, signal: AbortSignal): Promise<Soaked> {
  const target = await startTargetProcess<Deeds>(new URL('./rough-target.ts', import.meta.url));
  try {
    const descriptorsBefore = descriptors();
    const fold = new CellFold();
    const load = { host: '127.0.0.1', port: target.port, seed: 1, connections: 64, ratePerSecond, phases: { load: seconds } };
    const input = { ...engineInput(load), timeoutMs, goodWithinMs: timeoutMs };
    const run = await createNativeEngine().prepare(input, { onDelta: (delta) => fold.add(delta) });
    try {
      const resident = await residentWhileDriven(run, { seconds, signal, onThirty: (line) => say(`${line}, ${descriptors()} descriptors`) });
      const { wire } = await run.finish();
      const total = (count: 'planned' | 'good' | 'failed' | 'neverFired'): number => fold.cells().reduce((sum, { counts }) => sum + counts[count], 0);
      const counts = { planned: total('planned'), good: total('good'), failed: total('failed'), neverFired: total('neverFired') };
      return { wire, deeds: await target.report(), counts, descriptorsLeft: descriptors() - descriptorsBefore, growth: growthOf(resident) };
    } finally {
      await run.kill();
    }
  } finally {
    await target.stop();
  }
}

export const soakBench: Bench = {
  name: 'soak',
  about: 'ten minutes against a target that resets, cuts, falls silent and stands still: descriptors, memory, every arrival accounted for',
  runs: 1,
  seconds: 600,
  run: async ({ seconds, say, signal }) => {
    const { wire, deeds, counts, descriptorsLeft, growth } = await soak(seconds, say, signal);
    const { early, late, secondsBetween } = growth;
    const bad = ['reset', 'end', 'reset in the answer', 'end in the answer', 'silence'].reduce((sum, name) => sum + (deeds[name] ?? 0), 0);
    return {
      name: 'soak',
      figures: {
        wire,
        ...counts,
        ...Object.fromEntries(Object.entries(deeds).map(([name, count]) => [`target_${name.replaceAll(' ', '_')}`, count])),
        early_mib: round(early / 2 ** 20),
        late_mib: round(late / 2 ** 20),
      },
      bars: [
        atMost('descriptors left over', descriptorsLeft, 0),
        atMost('arrivals that ended as nothing', Math.abs(counts.planned - counts.good - counts.failed), 0),
        atLeast('failed ÷ treated so that they had to fail', counts.failed / bad, 1),
        atMost('growth ÷ (a byte an arrival + 96 KiB a second)', (late - early) / (secondsBetween * (ratePerSecond + bytesPerSecondMax)), 1),
        atMost('resident in the last fifth ÷ in the second', late / early, 1.25),
      ],
    };
  },
};
