/**
 * Does the generator's memory stay? The engine with everything on at 10,000/s against a null target; its process's resident memory each
 * second. A run may keep one byte an arrival (the ledger's) and something for each second (its cells), and nothing else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { startNullTarget } from '#harness/engine/native/start-null-target.ts';
import { CellFold } from '#harness/metrics/fold.ts';
import { atMost, type Bench, median, round } from './bench.ts';
import { engineInput } from './engine-load.ts';

const ratePerSecond = 10_000;
/** Two histograms of each time and operation, sparse, as numbers in arrays: a few hundred buckets each. */
const bytesPerSecondMax = 64 * 1024;

export type Growth = { readonly earlyBytes: number; readonly lateBytes: number; readonly secondsBetween: number };

/** From the second fifth, when the compiler and the heap have found their size, to the last. */
export function growthOf(residentBytes: readonly number[]): Growth {
  const fifth = Math.floor(residentBytes.length / 5);
  const part = (index: number) => residentBytes.slice(index * fifth, (index + 1) * fifth);
  return { earlyBytes: median(part(1)), lateBytes: median(part(4)), secondsBetween: 3 * fifth };
}

async function residentEachSecond(seconds: number, say: (line: string) => void, signal: AbortSignal): Promise<readonly number[]> {
  const target = await startNullTarget();
  const fold = new CellFold();
  try {
    const { host, port } = target;
    const input = engineInput({ host, port, seed: 1, connections: 64, ratePerSecond, phases: { load: seconds } });
    const run = await createNativeEngine().prepare(input, { onDelta: (delta) => fold.add(delta) });
    const resident: number[] = [];
    const driven = run.drive(0, Number(process.hrtime.bigint() - run.originNs) / 1e6 + 100);
    signal.addEventListener('abort', run.cut, { once: true });
    for (let second = 0; second < seconds && !signal.aborted; second++) {
      await sleep(1000, undefined, { signal }).catch(() => undefined);
      resident.push(process.memoryUsage.rss());
      if (second % 30 === 29) say(`${second + 1} s: ${Math.round((resident.at(-1) ?? 0) / 2 ** 20)} MiB`);
    }
    await driven;
    await run.finish();
    return resident;
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
    const grownBytes = median(growths.map(({ earlyBytes, lateBytes }) => lateBytes - earlyBytes));
    const secondsBetween = growths[0]?.secondsBetween ?? Number.NaN;
    return {
      name: 'memory',
      figures: {
        early_mib: round(median(growths.map(({ earlyBytes }) => earlyBytes)) / 2 ** 20),
        late_mib: round(median(growths.map(({ lateBytes }) => lateBytes)) / 2 ** 20),
        grown_bytes_a_second: round(grownBytes / secondsBetween),
      },
      bars: [
        atMost('growth ÷ (a byte an arrival + 64 KiB a second)', grownBytes / (secondsBetween * (ratePerSecond + bytesPerSecondMax)), 1),
        atMost('resident in the last fifth ÷ in the second', median(growths.map(({ earlyBytes, lateBytes }) => lateBytes / earlyBytes)), 1.25),
      ],
    };
  },
};
