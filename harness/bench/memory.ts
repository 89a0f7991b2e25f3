/**
 * Does the generator's memory stay? The engine with everything on at 10,000/s against a null target; its process's resident memory each
 * second. A run may keep one byte an arrival (the ledger's) and something for each second (its cells), and nothing else.
 */
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { startNullTarget } from '#harness/engine/native/start-null-target.ts';
import { CellFold } from '#harness/metrics/fold.ts';
import { type Growth, growthOf, median } from '#harness/metrics/growth.ts';
import { atMost, type Bench, round } from './bench.ts';
import { engineInput, residentWhileDriven } from './engine-load.ts';

const ratePerSecond = 10_000;
/** Two histograms of each time and operation, sparse, as numbers in arrays: a few hundred buckets each. */
const bytesPerSecondMax = 64 * 1024;

async function residentEachSecond(seconds: number, say: (line: string) => void, signal: AbortSignal): Promise<readonly number[]> {
  const target = await startNullTarget();
  const fold = new CellFold();
  try {
    const { host, port } = target;
    const input = engineInput({ host, port, seed: 1, connections: 64, ratePerSecond, phases: { load: seconds } });
    const run = await createNativeEngine().prepare(input, { onDelta: (delta) => fold.add(delta) });
    try {
      const resident = await residentWhileDriven(run, { seconds, signal, onThirty: say });
      await run.finish();
      return resident;
    } finally {
      await run.kill();
    }
  } finally {
    await target.stop();
  }
}

export const memoryBench: Bench = {
  name: 'memory',
  about: "the generator's resident memory over ten minutes at 10,000/s",
  runs: 1,
  seconds: 600,
  run: async ({ runs, seconds, say, signal }) => {
    const growths: Growth[] = [];
    for (let run = 0; run < runs && !signal.aborted; run++) growths.push(growthOf(await residentEachSecond(seconds, say, signal)));
    const grownBytes = median(growths.map(({ early, late }) => late - early));
    const secondsBetween = growths[0]?.secondsBetween ?? Number.NaN;
    return {
      name: 'memory',
      figures: {
        early_mib: round(median(growths.map(({ early }) => early)) / 2 ** 20),
        late_mib: round(median(growths.map(({ late }) => late)) / 2 ** 20),
        grown_bytes_a_second: round(grownBytes / secondsBetween),
      },
      bars: [
        atMost('growth ÷ (a byte an arrival + 64 KiB a second)', grownBytes / (secondsBetween * (ratePerSecond + bytesPerSecondMax)), 1),
        atMost('resident in the last fifth ÷ in the second', median(growths.map(({ early, late }) => late / early)), 1.25),
      ],
    };
  },
};
