/**
 * Thresholds in k6's grammar: `metric{selector:value,…}` and `p(99)<250 over 10s`. Parsed before a run; an error is a value that
 * knows the character it is about. Nothing here looks at a sample.
 */
import type { Threshold } from '#harness/scenario.ts';
import { metricNames, metricOf, outcomes, processes, systemPrefix } from './catalogue.ts';
import { type AggregationName, aggregationNames, type Metric, type SelectorName } from './metric.ts';
import { offer } from './nearest.ts';

export const operators = ['<=', '>=', '==', '!=', '<', '>'] as const;
export type Operator = (typeof operators)[number];

export type Aggregation = { readonly kind: 'quantile'; readonly q: number } | { readonly kind: 'min' | 'max' | 'avg' | 'rate' | 'count' | 'value' | 'last' };

export type ParsedThreshold = {
  readonly source: Threshold;
  readonly metric: Metric;
  readonly selector: Readonly<Record<string, string>>;
  readonly aggregation: Aggregation;
  readonly operator: Operator;
  readonly limit: number;
  /** Holds only if it holds in every window of so many seconds; undefined: over all of it at once. */
  readonly overSeconds: number | undefined;
  readonly abort: boolean;
};

/** `position` counts characters of `text` from 0. */
export type ThresholdError = {
  readonly kind: 'error';
  readonly where: 'metric' | 'expression';
  readonly text: string;
  readonly position: number;
  readonly message: string;
};

export type ThresholdNames = {
  readonly phases: readonly string[];
  readonly operations: readonly string[];
  /** Of a scenario with streams. */
  readonly readers?: readonly string[];
  /** Of a scenario with webhooks. */
  readonly receivers?: readonly string[];
};

export function parseThreshold(source: Threshold, names: ThresholdNames): { readonly kind: 'ok'; readonly threshold: ParsedThreshold } | ThresholdError {
  const target = parseMetric(source.metric, names);
  if (target.kind === 'error') return target;
  const condition = parseExpression(source.expression, target.metric);
  if (condition.kind === 'error') return condition;
  const { metric, selector } = target;
  const { aggregation, operator, limit, overSeconds } = condition;
  return { kind: 'ok', threshold: { source, metric, selector, aggregation, operator, limit, overSeconds, abort: source.abort === true } };
}

/** The text, and below it a caret under the character the message is about. */
export function formatThresholdError(error: ThresholdError): string {
  return `${error.text}\n${' '.repeat(error.position)}^ ${error.message}`;
}

type ParsedMetric = { readonly kind: 'ok'; readonly metric: Metric; readonly selector: Readonly<Record<string, string>> };

function parseMetric(text: string, names: ThresholdNames): ParsedMetric | ThresholdError {
  const fail = (position: number, message: string): ThresholdError => ({ kind: 'error', where: 'metric', text, position, message });
  const name = /^(?:system:)?[A-Za-z_][A-Za-z0-9_]*/.exec(text)?.[0] ?? '';
  if (name === '') return fail(0, `a metric's name is missing; there is ${metricNames.join(', ')}, ${systemPrefix}<scraped name>`);
  const metric = metricOf(name);
  if (metric === undefined) return fail(0, `unknown metric "${name}"${offer(name, metricNames)}`);
  const rest = text.slice(name.length);
  if (rest !== '' && !rest.startsWith('{')) return fail(name.length, 'after the name only {selector:value,…} may follow');
  if (rest !== '' && !rest.endsWith('}')) return fail(text.length, 'the closing } is missing');
  const selectors = rest === '' ? ({ kind: 'ok', selector: {} } as const) : parseSelectors(text, name.length + 1, metric, names);
  if (selectors.kind === 'error') return selectors;
  const given: Readonly<Record<string, string>> = selectors.selector;
  const missing = metric.required.find((required) => given[required] === undefined);
  if (missing !== undefined)
    return fail(name.length, `${metric.name} needs the selector ${missing}, as in ${metric.name}{${metric.required.map((one) => `${one}:…`).join(',')}}`);
  return { kind: 'ok', metric, selector: given };
}

type ParsedSelectors = { readonly kind: 'ok'; readonly selector: Record<string, string> };

function parseSelectors(text: string, from: number, metric: Metric, names: ThresholdNames): ParsedSelectors | ThresholdError {
  const selector: Record<string, string> = {};
  let position = from;
  for (const part of text.slice(from, -1).split(',')) {
    const start = position + (part.length - part.trimStart().length);
    const error = readSelector(part, start, selector, metric, names);
    if (error !== undefined) return { kind: 'error', where: 'metric', text, ...error };
    position += part.length + 1;
  }
  return { kind: 'ok', selector };
}

type Complaint = { readonly position: number; readonly message: string };

function readSelector(part: string, start: number, into: Record<string, string>, metric: Metric, names: ThresholdNames): Complaint | undefined {
  const colon = part.indexOf(':');
  if (colon < 0) return { position: start, message: `a selector is written name:value${part.trim() === '' ? '' : `, not "${part.trim()}"`}` };
  const key = part.slice(0, colon).trim();
  const value = part.slice(colon + 1).trim();
  const valueAt = start + part.trimStart().indexOf(':') + 1 + (part.slice(colon + 1).length - part.slice(colon + 1).trimStart().length);
  if (key === '') return { position: start, message: "a selector's name is missing before the colon" };
  if (into[key] !== undefined) return { position: start, message: `the selector ${key} stands there twice` };
  if (value === '') return { position: valueAt, message: `the value of ${key} is missing` };
  const isLabel = metric.source.kind === 'scrape' && key !== 'phase';
  if (!isLabel && !metric.selectors.includes(key as SelectorName)) {
    if (metric.selectors.length === 0) return { position: start, message: `${metric.name} takes no selector` };
    return { position: start, message: `unknown selector "${key}" of ${metric.name}${offer(key, metric.selectors)}` };
  }
  const known = isLabel ? undefined : knownValues(key as SelectorName, names);
  if (known !== undefined && !known.includes(value)) return { position: valueAt, message: `unknown ${wordFor(key)} "${value}"${offer(value, known)}` };
  into[key] = value;
  return undefined;
}

function knownValues(selector: SelectorName, names: ThresholdNames): readonly string[] {
  if (selector === 'phase' || selector === 'baseline') return names.phases;
  if (selector === 'operation') return names.operations;
  if (selector === 'reader') return names.readers ?? [];
  if (selector === 'receiver') return names.receivers ?? [];
  return selector === 'outcome' ? outcomes : processes;
}

const wordFor = (selector: string): string => (selector === 'baseline' ? 'phase' : selector);

type Condition = { readonly kind: 'ok' } & Pick<ParsedThreshold, 'aggregation' | 'operator' | 'limit' | 'overSeconds'>;

function parseExpression(text: string, metric: Metric): Condition | ThresholdError {
  const fail = (position: number, message: string): ThresholdError => ({ kind: 'error', where: 'expression', text, position, message });
  const skip = (from: number): number => from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0);
  let at = skip(0);
  const aggregation = readAggregation(text, at, metric);
  if ('message' in aggregation) return fail(aggregation.position, aggregation.message);
  at = skip(aggregation.end);
  const operator = operators.find((one) => text.startsWith(one, at));
  if (operator === undefined) return fail(at, `expected one of ${operators.join(' ')}`);
  at = skip(at + operator.length);
  const limit = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/i.exec(text.slice(at))?.[0];
  if (limit === undefined) return fail(at, 'expected a number');
  at = skip(at + limit.length);
  const window = readWindow(text, at, metric);
  if ('message' in window) return fail(window.position, window.message);
  return { kind: 'ok', aggregation: aggregation.aggregation, operator, limit: Number(limit), overSeconds: window.overSeconds };
}

function readAggregation(text: string, at: number, metric: Metric): { readonly aggregation: Aggregation; readonly end: number } | Complaint {
  const word = /^[A-Za-z_]+/.exec(text.slice(at))?.[0] ?? '';
  const allowed = metric.aggregations.map((name) => (name === 'p' ? 'p(…)' : name)).join(', ');
  if (word === '') return { position: at, message: `expected an aggregation: ${metric.name} has ${allowed}` };
  if (!aggregationNames.includes(word as AggregationName)) return { position: at, message: `unknown aggregation "${word}"${offer(word, metric.aggregations)}` };
  const name = word as AggregationName;
  if (!metric.aggregations.includes(name)) return { position: at, message: `${metric.name} has no ${name}; it has ${allowed}` };
  const end = at + word.length;
  if (name === 'med') return { aggregation: { kind: 'quantile', q: 0.5 }, end };
  if (name !== 'p') return { aggregation: { kind: name }, end };
  const argument = /^\s*\(\s*(\d+(?:\.\d+)?)\s*\)/.exec(text.slice(end));
  if (argument === null) return { position: end, message: 'expected a percentile in brackets, as in p(99)' };
  const percent = Number(argument[1]);
  if (!(percent > 0 && percent <= 100))
    return { position: end + argument[0].indexOf(argument[1] as string), message: 'a percentile is above 0 and at most 100' };
  return { aggregation: { kind: 'quantile', q: Math.round(percent * 1e7) / 1e9 }, end: end + argument[0].length };
}

function readWindow(text: string, at: number, metric: Metric): { readonly overSeconds: number | undefined } | Complaint {
  const rest = text.slice(at);
  if (rest === '') return { overSeconds: undefined };
  const match = /^over\s+(\d+)s\s*$/.exec(rest);
  if (match === null) return { position: at, message: 'only "over <seconds>s" may follow, as in over 10s' };
  const seconds = Number(match[1]);
  const digitsAt = at + rest.indexOf(match[1] as string);
  if (seconds < 1 || seconds > 86_400) return { position: digitsAt, message: 'a window is 1 to 86400 seconds' };
  if (!metric.windowed) return { position: at, message: `${metric.name} has no windows: it is one figure for the whole run` };
  return { overSeconds: seconds };
}
