/** Percentile curves: x = −log10(1−q), so that each further nine takes the same room, and y in milliseconds. */
import { timesOf } from '#harness/metrics/fold.ts';
import { countOf, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import type { RunResult } from '#harness/run-result.ts';
import { ms } from './numbers.ts';
import { cellsByPhaseAndOperation } from './plots.ts';
import type { Column } from './series.ts';

export type Curve = {
  readonly label: string;
  readonly x: readonly number[];
  readonly service: Column;
  /** Empty for a chain's later operations. */
  readonly response: Column;
  readonly note: string;
  readonly spoken: string;
};

export const whyTheyDiffer =
  'Service runs from the first byte written; response from the instant the arrival was planned for, so it also holds what waited while the service or the generator stood still. Where the two part, the load was kept waiting; a tool that shows only service would hide it.';

const pointsPerNine = 24;
const ninesMax = 6;

/** Of good answers and, where there are failures, of all: a quantile that falls among the failed has no value, and the curve ends. */
export function percentileCurves(result: RunResult): readonly Curve[] {
  const timeoutMs = result.run.scenario.fleet.timeoutMs;
  return cellsByPhaseAndOperation(result).flatMap(({ phase, operation, cells }) => {
    const service = timesOf(cells, 'service');
    const response = timesOf(cells, 'response');
    const failed = cells.reduce((sum, { counts }) => sum + counts.failed, 0);
    const total = countOf(service) + failed;
    if (countOf(service) === 0) return [];
    const x = xs(total);
    const label = `${phase} · ${operation}`;
    const among =
      failed === 0
        ? ''
        : ` ${failed.toLocaleString('en-US')} failed and are the slowest here: the curves end where they begin (≥ timeout${timeoutMs === undefined ? '' : ` of ${ms(timeoutMs)} ms`}).`;
    const quantile = (histogram: SparseHistogram, q: number): string => ms((quantileMicros(histogram, q) ?? 0) / 1000);
    const ofResponse = countOf(response) === 0 ? '' : `, response p50 ${quantile(response, 0.5)} and p99 ${quantile(response, 0.99)}`;
    return [
      {
        label,
        x,
        service: curve(service, x, failed),
        response: countOf(response) === 0 ? [] : curve(response, x, failed),
        note: `${total.toLocaleString('en-US')} samples.${among}`,
        spoken: `Percentiles of ${label} in milliseconds: service p50 ${quantile(service, 0.5)} and p99 ${quantile(service, 0.99)}${ofResponse}.`,
      },
    ];
  });
}

/** Up to the percentile that the sample count can show: one sample beyond it. */
function xs(total: number): readonly number[] {
  const nines = Math.min(ninesMax, Math.log10(Math.max(2, total)));
  const points = Math.ceil(nines * pointsPerNine);
  return Array.from({ length: points + 1 }, (_, i) => Number(((i / points) * nines).toFixed(4)));
}

function curve(histogram: SparseHistogram, x: readonly number[], failed: number): Column {
  return x.map((nines) => {
    const micros = quantileMicros(histogram, 1 - 10 ** -nines, failed);
    return micros === undefined || !Number.isFinite(micros) ? null : micros / 1000;
  });
}

/** The phase with the most samples that is measured: what the run is about. */
export function firstCurve({ phases }: RunResult, curves: readonly Curve[]): number {
  const measured = phases.filter((phase) => phase.measured).sort((a, b) => b.planned - a.planned);
  const wanted = measured.map(({ name }) => curves.findIndex(({ label }) => label.startsWith(`${name} · `))).find((index) => index >= 0);
  return wanted ?? 0;
}
