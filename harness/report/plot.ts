/** What a plot over time is, as data. */
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { conditionOf } from './numbers.ts';
import { type Column, maxOf, type Quantiles } from './series.ts';

/** Colours are names that the style sheet gives a value for light and for dark. */
export type Line = {
  readonly label: string;
  readonly values: Column;
  readonly colour: string;
  readonly look: 'line' | 'dashed' | 'dots' | 'area';
  /** Index of the line below: the space between them is filled. */
  readonly fillTo?: number;
};
/** A threshold as a line over the time it is about. */
export type LimitLine = { readonly label: string; readonly value: number; readonly fromSeconds: number; readonly toSeconds: number };
export type TimePlot = {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly unit: string;
  readonly log: boolean;
  readonly shaded: boolean;
  readonly wide: boolean;
  readonly lines: readonly Line[];
  readonly limits: readonly LimitLine[];
  /** What somebody hears who cannot see it. */
  readonly spoken: string;
};

export const plain = { log: false, shaded: false, wide: false, limits: [] } as const;
export const most = (line: Line | undefined): string => String(maxOf(line?.values ?? []) ?? 'nothing');

/** Of one time by second. */
export const quantileLines = ({ p50, p99, max }: Pick<Quantiles, 'p50' | 'p99' | 'max'>): readonly Line[] => [
  { label: 'p50', values: p50, colour: 'p50', look: 'line' },
  { label: 'p99', values: p99, colour: 'p99', look: 'line', fillTo: 0 },
  { label: 'max', values: max, colour: 'max', look: 'dots' },
];

/** Of thresholds on a metric; those whose selectors are about something else than `about` are of another plot. */
export function limitsOf({ phases }: RunResult, { thresholds }: Verdict, metric: string, about: Readonly<Record<string, string>>): readonly LimitLine[] {
  return thresholds.flatMap(({ metric: name, selector, expression }) => {
    const condition = conditionOf(expression);
    const isOfAnother = Object.entries(about).some(([label, value]) => (selector[label] ?? value) !== value);
    if (name !== metric || condition === undefined || condition.limit <= 0 || isOfAnother) return [];
    const concerned = phases.filter((phase) => (selector.phase === undefined ? phase.measured : phase.name === selector.phase));
    return concerned.map((phase) => ({ label: expression, value: condition.limit, fromSeconds: phase.startSeconds, toSeconds: phase.endSeconds }));
  });
}
