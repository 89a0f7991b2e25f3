/** How the factor of a run with `--fit` is said wherever the run is named. Pure. */
import { peakPerSecond } from '#harness/pacing/rate.ts';
import type { FitRecord, RunRecord, Verdict } from '#harness/run-result.ts';
import type { Saying } from './validity.ts';

/** `0.42`, and `0.0042`: two figures. */
export const factorText = (factor: number): string => String(Number(factor.toPrecision(2)));

/** `spike`, or `spike × 0.42`. */
export const titleOf = (name: string, fit: { readonly factor: number } | undefined): string =>
  fit === undefined ? name : `${name} × ${factorText(fit.factor)}`;
export const titleOfRun = ({ scenario, fit }: Pick<RunRecord, 'scenario' | 'fit'>): string => titleOf(scenario.name, fit);

/** Behind an exit code: empty without `--fit`. */
export const fitAside = (fit: { readonly factor: number } | undefined): string =>
  fit === undefined ? '' : fit.factor === 1 ? " (at all of the scenario's rates)" : ` (at ${factorText(fit.factor)} times the scenario's rates)`;

export function fitFiguresOf({ scenario, fit }: RunRecord): Pick<Verdict, 'fit'> {
  if (fit === undefined) return {};
  const { factor, plannedPeakPerSecond } = fit;
  return { fit: { factor, peakPerSecond: Math.max(...scenario.phases.map(peakPerSecond)), plannedPeakPerSecond } };
}

export const fitNotes = ({ fit }: RunRecord): readonly Saying[] => (fit === undefined ? [] : [{ code: 'fitted', text: fitText(fit) }]);

const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en-US')}/s`;

export function fitText({ factor, plannedPeakPerSecond, heldPerSecond, marginShare, unscaled }: FitRecord): string {
  if (factor === 1)
    return `--fit: this machine holds all of it, ${perSecond(plannedPeakPerSecond)} at the peak: every rate is as the scenario has it, the factor is 1`;
  const kept = unscaled.length === 0 ? '' : `; a limit that counts requests is as it was written: ${unscaled.join(', ')}`;
  return `--fit: every rate is ${factorText(factor)} times the scenario's, ${perSecond(factor * plannedPeakPerSecond)} at the peak where it plans ${perSecond(plannedPeakPerSecond)}; ${perSecond(heldPerSecond)} was the most that held here, and ${Math.round(marginShare * 100)} % of that is left free${kept}`;
}
