/** Services as Prometheus sees them, a sample a minute: a healthy one, and for each alert how one differs that must raise it, and one that must not. */
import { metricNames } from '#system/protocol/metric-names.ts';
import type { AlertName } from './alerting-rules.ts';
import { jobName, type MetricKey } from './promql.ts';

/** By series; in promtool's notation, `0+6000x480` being 0, 6000, 12000 … */
export type Seen = Readonly<Record<string, string>>;
export type Case = { readonly name: string; readonly seen: Seen; readonly fires: readonly AlertName[] };

export const minutes = 480;
const labels = `job="${jobName}",instance="a:8080"`;
const series = (key: MetricKey, more = '', suffix = ''): string => `${metricNames[key]}${suffix}{${labels}${more === '' ? '' : `,${more}`}}`;
const steadily = (perMinute: number, first = 0): string => `${first}+${perMinute}x${minutes}`;
const always = (value: number): string => steadily(0, value);
const repeated = (values: readonly number[]): string => Array.from({ length: minutes }, (_, i) => values[i % values.length]).join(' ');

const requests = (outcome: string): string => series('requests', `lane="ingest",outcome="${outcome}"`);
const within = (le: string): string => series('requestSeconds', `lane="ingest",le="${le}"`, '_bucket');
const answered = series('requestSeconds', 'lane="ingest"', '_count');
const webhooks = (outcome: string): string => series('webhooks', `outcome="${outcome}"`);
const loopDelay = series('eventLoopDelaySeconds', 'worker="1"');
const up = `up{${labels}}`;

/** Of n requests a minute so many within a quarter of a second, the rest within a whole one. */
const answering = (all: number, fast: number): Seen => ({
  [within('0.1')]: steadily(fast * 0.9),
  [within('0.25')]: steadily(fast),
  [within('1.0')]: steadily(all),
  [within('+Inf')]: steadily(all),
  [answered]: steadily(all),
});

/** Busy, with a few of everything that may happen, and read while events move: the books are off by two to either side. */
const healthy: Seen = {
  [up]: always(1),
  [requests('good')]: steadily(6000),
  [requests('shed')]: steadily(3),
  [requests('failed')]: steadily(3),
  ...answering(6000, 5970),
  [series('eventsAccepted')]: steadily(6000, 20),
  [series('eventsPending')]: repeated([8, 12]),
  [series('eventsKept')]: steadily(5900),
  [series('eventsFiltered', 'reason="zero"')]: steadily(100, 10),
  [series('pipelineLagSeconds')]: repeated([0.1, 2]),
  [series('archiveLagSeconds')]: repeated([0, 900, 1800, 2700, 3600]),
  [series('streamFrames')]: steadily(1000),
  [series('streamHeartbeats')]: steadily(400),
  [series('streamCatchUps')]: steadily(1),
  [webhooks('delivered')]: steadily(60),
  [webhooks('failed')]: steadily(1),
  [webhooks('dead')]: always(0),
  [webhooks('dropped')]: always(0),
  [loopDelay]: repeated([0.02, 0.15]),
};

const but = (differs: Seen): Seen => ({ ...healthy, ...differs });
const without = (...gone: readonly string[]): Seen => Object.fromEntries(Object.entries(healthy).filter(([name]) => !gone.includes(name)));

/** What makes it break, and what else breaks with it. */
export const breaking: Readonly<Record<AlertName, readonly Omit<Case, 'name'>[]>> = {
  HeadroomErrorBudgetBurnsFast: [
    { seen: but({ [requests('failed')]: `0x${minutes - 51} 120+120x49` }), fires: ['HeadroomErrorBudgetBurnsFast', 'HeadroomErrorBudgetBurnsSlowly'] },
    { seen: but({ [requests('failed')]: steadily(42) }), fires: ['HeadroomErrorBudgetBurnsFast', 'HeadroomErrorBudgetBurnsSlowly'] },
  ],
  HeadroomErrorBudgetBurnsSlowly: [
    { seen: but({ [requests('failed')]: steadily(9) }), fires: ['HeadroomErrorBudgetBurnsSlowly'] },
    // Enough in an hour to page for, and over.
    { seen: but({ [requests('failed')]: `0x${minutes - 26} 600+600x9 6000x15` }), fires: ['HeadroomErrorBudgetBurnsSlowly'] },
  ],
  HeadroomIngestSlow: [{ seen: but(answering(6000, 5900)), fires: ['HeadroomIngestSlow'] }],
  HeadroomIngestShed: [{ seen: but({ [requests('shed')]: steadily(12) }), fires: ['HeadroomIngestShed'] }],
  HeadroomIngestRefused: [
    { seen: but({ [requests('good')]: always(7), [requests('shed')]: steadily(6000) }), fires: ['HeadroomIngestRefused', 'HeadroomIngestShed'] },
  ],
  HeadroomPipelineLags: [{ seen: but({ [series('pipelineLagSeconds')]: always(11) }), fires: ['HeadroomPipelineLags'] }],
  HeadroomEventsUnaccounted: [
    { seen: but({ [series('eventsKept')]: steadily(5900, -3) }), fires: ['HeadroomEventsUnaccounted'] },
    { seen: but({ [series('eventsKept')]: steadily(5900, 3) }), fires: ['HeadroomEventsUnaccounted'] },
  ],
  HeadroomArchiveLags: [{ seen: but({ [series('archiveLagSeconds')]: steadily(60) }), fires: ['HeadroomArchiveLags'] }],
  HeadroomPokesLost: [{ seen: but({ [series('streamCatchUps')]: steadily(10) }), fires: ['HeadroomPokesLost'] }],
  HeadroomWebhooksDead: [{ seen: but({ [webhooks('dead')]: `0x${minutes - 10} 1x10` }), fires: ['HeadroomWebhooksDead'] }],
  HeadroomWebhooksDropped: [{ seen: but({ [webhooks('dropped')]: `0x${minutes - 10} 1x10` }), fires: ['HeadroomWebhooksDropped'] }],
  HeadroomStalls: [{ seen: but({ [loopDelay]: always(0.12) }), fires: ['HeadroomStalls'] }],
  HeadroomDown: [{ seen: { [up]: always(0) }, fires: ['HeadroomDown'] }],
  HeadroomAbsent: [{ seen: { 'up{job="another"}': always(1) }, fires: ['HeadroomAbsent'] }],
  HeadroomStoreSilent: [{ seen: without(series('eventsAccepted')), fires: ['HeadroomStoreSilent'] }],
};

const idle = Object.fromEntries(Object.keys(healthy).map((name) => [name, name === up ? always(1) : always(7)]));
const books: Seen = { [series('eventsAccepted')]: always(21), [loopDelay]: always(0.02) };
const quiet = (failed: string): Seen => but({ [requests('good')]: steadily(1), [requests('shed')]: always(0), [requests('failed')]: failed });
const onceFailed = `0x${minutes - 30} 1x30`;

export const sparing: readonly Omit<Case, 'fires'>[] = [
  { name: 'a healthy service', seen: healthy },
  { name: 'a service of which nobody wants anything', seen: { ...idle, ...books } },
  { name: 'a service that has just begun and counted nothing', seen: { [up]: always(1), [series('eventsAccepted')]: always(0) } },
  { name: 'one request of a quiet night that fails', seen: quiet(onceFailed) },
  {
    name: 'a client over its quota, refused a few times, in a night in which nobody else comes',
    seen: but({ [requests('good')]: always(7), [requests('shed')]: `0x${minutes - 4} 1 2 3 3`, [requests('failed')]: always(0) }),
  },
  { name: 'one request of a quiet night that is slow', seen: but(answering(1, 0.5)) },
  { name: 'a stall now and then', seen: but({ [loopDelay]: repeated([0.02, 0.02, 2]) }) },
  { name: 'an event that waits while a partition finds a new owner', seen: but({ [series('pipelineLagSeconds')]: `0x${minutes - 2} 12x1` }) },
  {
    name: 'a change now and then that was faster than its poke',
    seen: but({ [series('streamCatchUps')]: steadily(0.1), [series('streamFrames')]: steadily(401) }),
  },
];
