/**
 * What stops of the generator, stolen cores and other programs can have touched, and by how much. A stop delays what is sent and what is read, so what was answered
 * well is bounded by what was seen. How far that has to be raised, and how many a second's noise can have touched, is proven in `#harness/simulation`.
 */
import { addHistograms } from '#harness/metrics/fold.ts';
import { bucketIndexOf, bucketTopMicros, countOf, histogramMicrosMax, mergeHistograms, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { Cell, CellCounts, RunResult, StreamCell, TimeHistograms, TimeName, WorkerLag } from '#harness/run-result.ts';
import { othersShares } from './others.ts';
import { takeSlowest } from './take-slowest.ts';

export type JudgeLimits = {
  /** A second in which the hypervisor took more than this share of all cores' time is spoiled. */
  readonly stealShareMax: number;
  /** So is one in which a thread of the generator stood still longer than this: the same tenth. */
  readonly stopMsPerSecondMax: number;
  /** And one in which other programs had more than this share of all cores' time. */
  readonly othersShareMax: number;
};
export const defaultLimits: JudgeLimits = { stealShareMax: 0.1, stopMsPerSecondMax: 100, othersShareMax: 0.15 };

/** Of all cores, with what the hypervisor took: beyond it requests wait for a core and not for the service, and the machine is too small. */
export const usedShareMax = 0.9;
/** How many times as long as the noise itself is what it can have touched: a backlog is worked off with what is left of the machine, a tenth at least. */
const touchedPerNoise = Math.round(1 / (1 - usedShareMax));

export type Noise = {
  /** Those that are spoiled by their own noise. */
  readonly seconds: ReadonlySet<number>;
  /** By second: the share, 0 to 1, of its arrivals that its own noise and that of the seconds before it can have touched. */
  readonly shares: ReadonlyMap<number, number>;
  /** By second: the longest that a thread of the generator stood still. */
  readonly stoppedMs: ReadonlyMap<number, number>;
};

/** `atMost`: of each time the spoiled ones at their slowest. */
export type JudgedCell = Cell & { readonly atMost?: { readonly [name in TimeName]?: SparseHistogram } };
/** `heldUpMs`: the longest stop that can have touched what the cell counts. */
export type JudgedStreamCell = StreamCell & { readonly heldUpMs?: number };

/** Fuller, a second leaves its backlog to those after it. */
const fullShare = 0.95;
/** As much noise as can have touched one second. */
const oneSecondMs = 1000 / touchedPerNoise;

type Noisy = Pick<RunResult, 'machine' | 'workers' | 'streams' | 'webhooks' | 'processes'> & {
  readonly run: { readonly machine: Pick<RunResult['run']['machine'], 'cores'> };
};

/** Of workers and of the processes that hold streams or receive webhooks alike: who writes late makes changes late, and who reads late sees them late. */
export function noiseOf({ machine, workers, streams, webhooks, processes, run }: Noisy, limits: JudgeLimits): Noise {
  const stoppedMs = longestStops([...workers, ...(streams?.processes ?? []), ...(webhooks?.processes ?? [])]);
  const noiseMs = new Map<number, number>();
  const spoil = (second: number, ms: number): void => void noiseMs.set(second, (noiseMs.get(second) ?? 0) + ms);
  for (const { second, stealShare = 0 } of machine) {
    if (stealShare > limits.stealShareMax) spoil(second, stealShare * run.machine.cores * 1000);
  }
  const others = othersShares({ processes, machine, run });
  for (const { second, busyShare = 0 } of machine) {
    const share = others.get(second) ?? 0;
    if (share > limits.othersShareMax) spoil(second, busyShare > fullShare ? share * run.machine.cores * 1000 : oneSecondMs);
  }
  for (const [second, ms] of stoppedMs) if (ms > limits.stopMsPerSecondMax) spoil(second, ms);
  return { seconds: new Set(noiseMs.keys()), shares: touchedShares(noiseMs), stoppedMs };
}

/** What a second cannot hold runs over into those after it. */
function touchedShares(noiseMs: ReadonlyMap<number, number>): ReadonlyMap<number, number> {
  const touchedMs = new Map<number, number>();
  for (const [second, ms] of noiseMs) {
    let leftMs = Math.round(touchedPerNoise * ms);
    for (let at = second; leftMs > 0; at++) {
      const beforeMs = touchedMs.get(at) ?? 0;
      const hereMs = Math.min(1000 - beforeMs, leftMs);
      touchedMs.set(at, beforeMs + hereMs);
      leftMs -= hereMs;
    }
  }
  return new Map([...touchedMs].map(([second, ms]) => [second, ms / 1000]));
}

function longestStops(threads: readonly WorkerLag[]): ReadonlyMap<number, number> {
  const longest = new Map<number, number>();
  for (const { second, stopMsTotal } of threads) {
    if (stopMsTotal > (longest.get(second) ?? 0)) longest.set(second, stopMsTotal);
  }
  return longest;
}

/** Times of the service, which a stop can flatter; the others are the generator's own. */
const flattered: ReadonlySet<TimeName> = new Set<TimeName>(['response', 'service', 'chain']);

export function withNoise(cells: readonly Cell[], noise: Noise): readonly JudgedCell[] {
  return cells.map((cell) => judgedCell(cell, noise.shares.get(cell.second) ?? 0, heldUpMsOf(noise, cell)));
}

/** Whom a stop reached the engine has marked, so that a second's noise bounds the rest of it as it was seen. */
function judgedCell(cell: Cell, share: number, heldUpMs: number): JudgedCell {
  const times: { [name in TimeName]?: TimeHistograms } = {};
  const atMost: { [name in TimeName]?: SparseHistogram } = {};
  for (const [name, both] of Object.entries(cell.times) as [TimeName, TimeHistograms][]) {
    const { kept, taken } = takeTouched(both, share);
    times[name] = { clean: kept, spoiled: addHistograms(taken, both.spoiled) };
    atMost[name] = addHistograms(taken, raised(both.spoiled, flattered.has(name) ? heldUpMs : 0));
  }
  return { ...cell, counts: withTouched(cell.counts, share), times, atMost };
}

/** The noise is taken to have touched the slowest, the failed and the refused: so the service is held to nothing that may not be its own. */
function takeTouched({ clean, spoiled }: TimeHistograms, share: number): ReturnType<typeof takeSlowest> {
  const touched = Math.ceil(share * (countOf(clean) + countOf(spoiled)));
  return takeSlowest(clean, Math.max(0, touched - countOf(spoiled)));
}

function withTouched(counts: CellCounts, share: number): CellCounts {
  const touched = Math.min(counts.failed + counts.shed, Math.ceil(share * counts.planned));
  return { ...counts, spoiledFailed: Math.max(counts.spoiledFailed, touched) };
}

/** Looked for from the second before, since a stop is booked when it is over, until the slowest of the spoiled ones was read. */
export function heldUpMsOf({ stoppedMs }: Noise, { second, times }: Pick<Cell | StreamCell, 'second' | 'times'>): number {
  if (stoppedMs.size === 0) return 0;
  const tops = Object.values(times).map(({ spoiled }) => bucketTopMicros(spoiled.index.at(-1) ?? 0));
  const until = second + 2 + Math.max(0, ...tops) / 1e6;
  let longest = 0;
  for (const [at, ms] of stoppedMs) if (at >= second - 1 && at <= until && ms > longest) longest = ms;
  return longest;
}

/** Each sample later by so much. */
export function raised(histogram: SparseHistogram, byMs: number): SparseHistogram {
  if (byMs === 0 || histogram.index.length === 0) return histogram;
  const later = (index: number): number => bucketIndexOf(Math.min(histogramMicrosMax, bucketTopMicros(index) + byMs * 1000));
  return mergeHistograms(histogram.index.map((index, i) => ({ index: [later(index)], count: [histogram.count[i] as number] })));
}
