/** Queries by the names of the protocol. Which labels a metric has is held against a real scrape by `queries.e2e.test.ts`. */
import { metricNames } from '#system/protocol/metric-names.ts';

export type MetricKey = keyof typeof metricNames;

/** The job's name in `prometheus/prometheus.yml`: alerts ask for a job that should be there, which no sample can name. */
export const jobName = 'headroom';

/** Whose samples a query takes: a board's variables, or the job. */
type Choice = 'board' | 'job';

const choices: Readonly<Record<Choice, string>> = { board: 'job="$job",instance=~"$instance"', job: `job="${jobName}"` };

export type Samples = { readonly of?: Choice; readonly where?: string; readonly suffix?: '' | '_bucket' | '_count' };

/** A selector; `where` are further matchers, without braces. */
export function samples(key: MetricKey, { of = 'board', where, suffix = '' }: Samples = {}): string {
  return `${metricNames[key]}${suffix}{${where === undefined ? choices[of] : `${choices[of]},${where}`}}`;
}

export const rate = (key: MetricKey, chosen?: Samples): string => `rate(${samples(key, chosen)}[$__rate_interval])`;

export const quantile = (q: number, key: MetricKey, { by = [], ...chosen }: Samples & { readonly by?: readonly string[] } = {}): string =>
  `histogram_quantile(${q}, sum by (${[...by, 'le'].join(', ')}) (${rate(key, { ...chosen, suffix: '_bucket' })}))`;

/** Of what the store counts: every instance tells the same number, since all of a job read one store, so a sum would multiply it. */
export const stored = (key: MetricKey): string => `max(${samples(key)})`;
export const storedRate = (key: MetricKey): string => `max(${rate(key)})`;

/** A counter's label value has no series before it occurred: that is 0, as long as the metric itself is there. */
export const orZero = (expression: string, of: string): string => `(${expression} or 0 * ${of})`;
