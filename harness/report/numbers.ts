/** Figures as a reader sees them, in every report alike. What could not be measured says so, and is never 0. */
import type { Verdict } from '#harness/run-result.ts';

export const notMeasured = '–';

/** Four significant digits below ten thousand, grouped digits above. */
export function figure(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return notMeasured;
  if (typeof value === 'string') return value;
  if (!Number.isFinite(value)) return '∞';
  return Math.abs(value) >= 10_000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(4)));
}

export const count = (value: number | null | undefined): string => (value === null || value === undefined ? notMeasured : value.toLocaleString('en-US'));

/** Milliseconds with three significant digits, and as many as a microsecond has. */
export const ms = (value: number | null | undefined): string =>
  value === null || value === undefined ? notMeasured : value >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));

export const share = (value: number): string => `${Number((value * 100).toPrecision(3))} %`;

type Checked = Verdict['thresholds'][number];

export function metricText({ metric, selector }: Pick<Checked, 'metric' | 'selector'>): string {
  const labels = Object.entries(selector).map(([name, value]) => `${name}:${value}`);
  return labels.length === 0 ? metric : `${metric}{${labels.join(',')}}`;
}

export const holdsText: Readonly<Record<Checked['holds'], string>> = { yes: 'holds', no: 'broken', unknown: 'cannot be told' };

export type Condition = { readonly operator: string; readonly limit: number };

export function conditionOf(expression: string): Condition | undefined {
  const found = /(<=|>=|==|!=|<|>)\s*([0-9.eE+-]+)/.exec(expression);
  const limit = Number(found?.[2]);
  return found?.[1] === undefined || Number.isNaN(limit) ? undefined : { operator: found[1], limit };
}

/** How much of an upper limit is used: above 1 it is broken. Undefined where there is no upper limit to be near to. */
export function usedShare({ expression, observed }: Pick<Checked, 'expression' | 'observed'>): number | undefined {
  const condition = conditionOf(expression);
  if (condition === undefined || !condition.operator.startsWith('<') || condition.limit <= 0 || typeof observed !== 'number') return undefined;
  return observed / condition.limit;
}

export const verdictSentence: Readonly<Record<Verdict['verdict'], string>> = {
  pass: 'Every threshold holds, and the measurement can be trusted.',
  fail: 'A promise was broken, and the measurement can be trusted in that.',
  invalid: 'The measurement cannot be trusted: it neither passes nor fails the service.',
  inconclusive: 'The runs do not agree enough to tell.',
  interrupted: 'The run was ended before it was over: what was measured until then is shown and not judged.',
};
