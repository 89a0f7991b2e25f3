/** What is asked for by more than one alert or panel, or over days. Names are level:metric:operation, as Prometheus advises. */
import { errorBudgetRatio } from './promises.ts';
import { orZero, samples } from './promql.ts';

export type RecordingRule = { readonly record: string; readonly expr: string };

const windows = ['5m', '30m', '1h', '6h', '3d'] as const;
type Window = (typeof windows)[number];

/** Failed requests as a part of all; no sample where there was no request, so that idleness is no verdict. */
export const failedRatio = (window: Window): string => `job:headroom_requests_failed:ratio_rate${window}`;

/** Events of which the books do not know what became; 0, but for what happens between two reads of one scrape. */
export const unaccounted = 'instance:headroom_events_unaccounted:difference';

function failedRatioRule(window: Window): RecordingRule {
  const all = `sum by (job) (rate(${samples('requests', { of: 'job' })}[${window}]))`;
  const failed = `sum by (job) (rate(${samples('requests', { of: 'job', where: 'outcome="failed"' })}[${window}]))`;
  return { record: failedRatio(window), expr: `${orZero(failed, all)}\n/\n(${all} > 0)` };
}

const unaccountedRule: RecordingRule = {
  record: unaccounted,
  expr: [
    samples('eventsAccepted', { of: 'job' }),
    samples('eventsPending', { of: 'job' }),
    samples('eventsKept', { of: 'job' }),
    orZero(`sum by (job, instance) (${samples('eventsFiltered', { of: 'job' })})`, `sum by (job, instance) (${samples('eventsKept', { of: 'job' })})`),
  ].join('\n- on (job, instance)\n'),
};

/** How many times faster than allowed the budget is being spent. */
export const burnRate = (window: Window): string => `${failedRatio(window)}{job="$job"} / ${errorBudgetRatio}`;

export const recordingRules: readonly RecordingRule[] = [...windows.map(failedRatioRule), unaccountedRule];
