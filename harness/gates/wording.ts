/** Figures as a reader sees them. */
import type { Figure } from './samples.ts';
import type { ParsedThreshold } from './threshold.ts';

/** What stands in a verdict for a figure that is not finite. */
export function infiniteWord({ metric: { source } }: ParsedThreshold): string {
  switch (source.kind) {
    case 'time':
      return '≥ timeout';
    case 'stream-time':
      // A time that every stream has is infinite only as a bound, where it may have been anything.
      return source.never ?? 'any time';
    case 'webhook-time':
      return 'never came';
    case 'recovery':
      return 'not recovered';
    default:
      return 'not drained';
  }
}

export function valueForVerdict(value: number, threshold: ParsedThreshold): number | string {
  return Number.isFinite(value) ? value : infiniteWord(threshold);
}

/** Three significant digits below a thousand, grouped digits above. */
export function shortNumber(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

export function figureText(value: number, threshold: ParsedThreshold): string {
  if (!Number.isFinite(value)) return infiniteWord(threshold);
  const { unit } = threshold.metric;
  if (threshold.aggregation.kind === 'rate') return shortNumber(value);
  return unit === 'as scraped' ? shortNumber(value) : `${shortNumber(value)} ${unit}`;
}

export function thresholdText({ source }: ParsedThreshold): string {
  return `${source.metric} ${source.expression}`;
}

/** The figure, and its bounds where unknown arrivals move it. */
export function boundedText(figure: Figure, threshold: ParsedThreshold): string {
  const seen = figureText(figure.seen, threshold);
  if (figure.low === figure.high) return seen;
  return `${seen} (between ${figureText(figure.low, threshold)} and ${figureText(figure.high, threshold)}, whatever the unknown arrivals were)`;
}

export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

/** `1 change`, `12,000 changes`. */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
