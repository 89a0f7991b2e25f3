/** Alerts on promises: each says what broke, and what to do next. `page` is for now, at night too; `ticket` for the next working day. */
import { limits } from '#system/protocol/limits.ts';
import {
  archiveLagSecondsMax,
  type Burn,
  burns,
  catchUpRatioMax,
  errorBudgetRatio,
  eventLoopDelaySecondsMax,
  ingestSecondsP99Max,
  pipelineLagSecondsMax,
} from './promises.ts';
import { jobName, type Samples, samples } from './promql.ts';
import { failedRatio, unaccounted } from './recording-rules.ts';

export type AlertingRule = {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: 'page' | 'ticket';
  readonly summary: string;
  readonly description: string;
};

const job = (key: Parameters<typeof samples>[0], chosen: Samples = {}): string => samples(key, { ...chosen, of: 'job' });
const increase = (selector: string, window: string): string => `sum by (job) (increase(${selector}[${window}]))`;

/** One unlucky or refused request in a quiet night is a large part of the few there were, and no incident. */
const failedMin = 10;
/** The p99 of fewer is their maximum. */
const requestsMin = 100;
/** In a quarter of an hour; a check that came between a change and its poke counts as one too. */
const catchUpsMin = 10;

const burning = ({ long, short, rate }: Burn): string =>
  [
    `${failedRatio(long)} > ${rate} * ${errorBudgetRatio}`,
    `${failedRatio(short)} > ${rate} * ${errorBudgetRatio}`,
    `${increase(job('requests', { where: 'outcome="failed"' }), long)} >= ${failedMin}`,
  ].join('\nand\n');

const anyBurning = (all: readonly Burn[]): string => all.map((burn) => `(\n${burning(burn)}\n)`).join('\nor\n');

const ingest = 'lane="ingest"';
const shedEnough = `${increase(job('requests', { where: `${ingest},outcome="shed"` }), '5m')} >= ${failedMin}`;

const requestAlerts = [
  {
    alert: 'HeadroomErrorBudgetBurnsFast',
    expr: anyBurning(burns.fast),
    for: '2m',
    severity: 'page',
    summary: '{{ $value | humanizePercentage }} of requests fail: the error budget of 30 days would not last five',
    description:
      'Answers 5xx other than 503. Look at "Failed by lane" for the lane, and at the log of the workers for what they threw; if it began with a release, go back to the one before.',
  },
  {
    alert: 'HeadroomErrorBudgetBurnsSlowly',
    expr: anyBurning(burns.slow),
    for: '15m',
    severity: 'ticket',
    summary: '{{ $value | humanizePercentage }} of requests have failed for hours: the error budget of 30 days will not last',
    description:
      'Answers 5xx other than 503, few and steady: one route, account or kind of request rather than all. "Failed by lane" has the lane, the log of the workers the request ids.',
  },
  {
    alert: 'HeadroomIngestSlow',
    expr: [
      `histogram_quantile(0.99, sum by (job, le) (rate(${job('requestSeconds', { where: ingest, suffix: '_bucket' })}[5m]))) > ${ingestSecondsP99Max}`,
      `${increase(job('requestSeconds', { where: ingest, suffix: '_count' }), '5m')} >= ${requestsMin}`,
    ].join('\nand\n'),
    for: '5m',
    severity: 'page',
    summary: `The p99 of ingest is {{ $value | humanizeDuration }}; promised is ${ingestSecondsP99Max * 1000} ms`,
    description:
      'Compare "Flush" (the disk), "Event loop delay" and "CPU" (the workers) under "How much headroom is left?": whichever rose first is what to add or to relieve.',
  },
  {
    alert: 'HeadroomIngestShed',
    expr: [
      `sum by (job) (rate(${job('requests', { where: `${ingest},outcome="shed"` })}[5m]))`,
      `sum by (job) (rate(${job('requests', { where: ingest })}[5m])) > ${errorBudgetRatio}\nand\n${shedEnough}`,
    ].join('\n/\n'),
    for: '10m',
    severity: 'ticket',
    summary: '{{ $value | humanizePercentage }} of ingest is refused, the lane that is shed last',
    description:
      'By 429 it is an account or device over its quota: talk to them, or raise it. By 503 it is ours: the store refuses (look at "Flush" and the disk) or every place is taken (add workers or machines). The access log of the balancer tells which.',
  },
  {
    alert: 'HeadroomIngestRefused',
    expr: `sum by (job) (rate(${job('requests', { where: `${ingest},outcome="shed"` })}[5m])) > 0\nunless\nsum by (job) (rate(${job('requests', { where: `${ingest},outcome="good"` })}[5m])) > 0\nand\n${shedEnough}`,
    for: '5m',
    severity: 'page',
    summary: 'Ingest refuses all of {{ $value | humanize }} requests/s',
    description:
      'Most likely the store does not take appends: look at the disk of the data folder (full, read-only, hanging) and at the log of the workers. What was acknowledged before is safe; devices keep the rest and send it again.',
  },
] as const satisfies readonly AlertingRule[];

const pipelineAlerts = [
  {
    alert: 'HeadroomPipelineLags',
    expr: `max by (job) (${job('pipelineLagSeconds')}) > ${pipelineLagSecondsMax}`,
    for: '2m',
    severity: 'page',
    summary: 'Acknowledged events have waited {{ $value | humanizeDuration }} to be processed',
    description:
      'Nothing is lost: they are in the log. If "Pending events" rises with the rate, the workers are too few for it; if it rises while the rate is flat, a partition is stuck: look for its lease in the log of the workers and restart them one by one (SIGHUP).',
  },
  {
    alert: 'HeadroomEventsUnaccounted',
    // A scrape reads twice, and other workers write in between: 2 scrapes of 96 were off by one or two at 4,000 events/s. Only what keeps its sign is a loss.
    expr: `min_over_time(${unaccounted}[5m]) > 0\nor\nmax_over_time(${unaccounted}[5m]) < 0`,
    for: '10m',
    severity: 'page',
    summary: 'The books are off by {{ $value }} events: accepted is not pending + kept + filtered',
    description:
      'An acknowledged event may be lost, or one was counted twice. Keep the data folder as it is: make a backup (POST /admin/v1/backup), compare the export of the accounts with what their devices sent, and only then restart anything.',
  },
  {
    alert: 'HeadroomArchiveLags',
    expr: `max by (job) (${job('archiveLagSeconds')}) > ${archiveLagSecondsMax}`,
    for: '15m',
    severity: 'ticket',
    summary: 'Kept events have waited {{ $value | humanizeDuration }} for the archive',
    description: `Nothing is lost, but the log cannot be pruned behind its ${limits.hotWindowHours} h and grows. See whether the archive's folder or bucket can be written to, and whether "Archived" keeps up with "Kept"; if not, raise --archive-bytes-per-second.`,
  },
] as const satisfies readonly AlertingRule[];

const caughtUp = increase(job('streamCatchUps'), '15m');
const told = `increase(${job('streamFrames')}[15m]) - increase(${job('streamHeartbeats')}[15m])`;

const outwardAlerts = [
  {
    alert: 'HeadroomPokesLost',
    expr: `${caughtUp}\n/\nsum by (job) (${told}) > ${catchUpRatioMax}\nand\n${caughtUp} >= ${catchUpsMin}`,
    for: '15m',
    severity: 'ticket',
    summary: '{{ $value | humanizePercentage }} of what streams tell was found by the position check',
    description:
      'Changes arrive, but up to --position-check-ms late: the pokes between processes do not. Nodes that share a store have to reach each other; look for a worker or node that was replaced when it began, and restart the workers one by one (SIGHUP).',
  },
  {
    alert: 'HeadroomWebhooksDead',
    expr: `${increase(job('webhooks', { where: 'outcome="dead"' }), '1h')} > 0`,
    for: '0m',
    severity: 'ticket',
    summary: '{{ $value | humanize }} webhooks were given up after their last attempt',
    description:
      'Their endpoints failed for the whole schedule. Tell the account whose GET /v1/webhooks/ID/deliveries shows them; once its endpoint answers, POST …/replay sends them again.',
  },
  {
    alert: 'HeadroomWebhooksDropped',
    expr: `${increase(job('webhooks', { where: 'outcome="dropped"' }), '1h')} > 0`,
    for: '0m',
    severity: 'ticket',
    summary: "{{ $value | humanize }} webhooks were left out because their endpoint's queue was full",
    description:
      'The endpoint is slower than its events. If breakers open, it is failing: tell the account. If not, raise --webhook-endpoint-attempts-max. POST …/replay with from and to sends what was left out.',
  },
] as const satisfies readonly AlertingRule[];

const presenceAlerts = [
  {
    alert: 'HeadroomStalls',
    expr: `min_over_time(${job('eventLoopDelaySeconds')}[5m]) > ${eventLoopDelaySecondsMax}`,
    for: '5m',
    severity: 'ticket',
    summary: 'Worker {{ $labels.worker }} of {{ $labels.instance }} stalls for {{ $value | humanizeDuration }} again and again: registrations are being shed',
    description:
      'It has more to do than a core can: see "CPU" beside it. If all workers are as full, add workers or machines; if only this one is, restart the workers one by one (SIGHUP).',
  },
  {
    alert: 'HeadroomDown',
    expr: `up{job="${jobName}"} == 0`,
    for: '2m',
    severity: 'page',
    summary: '{{ $labels.instance }} does not answer /metrics',
    description:
      'Ask its /healthz by hand. If it answers, the way from Prometheus to it is broken; if not, the supervisor is gone: start it again on its data, where everything acknowledged stands.',
  },
  {
    alert: 'HeadroomAbsent',
    expr: `absent(up{job="${jobName}"})`,
    for: '5m',
    severity: 'page',
    summary: `Prometheus has no target of job ${jobName}`,
    description:
      'Nothing here can alert any more. Look at the targets and the service discovery of Prometheus, and that its job has the name that the rules ask for.',
  },
  {
    alert: 'HeadroomStoreSilent',
    expr: `up{job="${jobName}"} == 1 unless on (job, instance) ${job('eventsAccepted')}`,
    for: '2m',
    severity: 'page',
    summary: '{{ $labels.instance }} answers, but cannot read its store',
    description: 'Ingest is refused with 503 as long as this is so. Look at the disk of the data folder (full, read-only, gone) and at the log of the workers.',
  },
] as const satisfies readonly AlertingRule[];

export const alertingRules = [...requestAlerts, ...pipelineAlerts, ...outwardAlerts, ...presenceAlerts] as const;
export type AlertName = (typeof alertingRules)[number]['alert'];
