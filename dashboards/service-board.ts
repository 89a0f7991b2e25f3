/** What the engineer on call asks first: is a promise breaking, how much is left, do the books balance? */
import type { Board, Row } from './board.ts';
import { burns, errorBudgetRatio, eventLoopDelaySecondsMax, ingestSecondsP99Max, pipelineLagSecondsMax } from './promises.ts';
import { quantile, rate, samples, stored, storedRate } from './promql.ts';
import { burnRate, failedRatio, unaccounted } from './recording-rules.ts';

const worker = 'worker=~"$worker"';
const byLane = (where?: string): string => `sum by (lane) (${rate('requests', where === undefined ? {} : { where })})`;
const byWorker = '{{instance}} {{worker}}';

const promises: Row = {
  title: 'Is a promise breaking?',
  panels: [
    {
      title: 'Availability, last hour',
      description: `Requests that did not fail; refusals by design (429, 503) are counted apart. Promised: ${1 - errorBudgetRatio}. Below it, see which lane fails. Empty: nobody asked, or the rules are not loaded.`,
      unit: 'ratio',
      as: 'figure',
      brokenBelow: 1 - errorBudgetRatio,
      queries: [{ legend: 'good or shed', expr: `1 - ${failedRatio('1h')}{job="$job"}` }],
    },
    {
      title: 'Ingest p99, now',
      description: 'The latency that is promised. Red: go to "How much headroom is left?" and see what rose first.',
      unit: 'seconds',
      as: 'figure',
      brokenAbove: ingestSecondsP99Max,
      queries: [{ legend: 'p99', expr: quantile(0.99, 'requestSeconds', { where: 'lane="ingest"' }) }],
    },
    {
      title: 'Oldest pending event',
      description:
        'How long the event that waits longest has been acknowledged and not processed. Red: the pipeline does not keep up, or a partition is stuck.',
      unit: 'seconds',
      as: 'figure',
      brokenAbove: pipelineLagSecondsMax,
      queries: [{ legend: 'lag', expr: stored('pipelineLagSeconds') }],
    },
    {
      title: 'Instances that answer',
      description: 'Instances whose last scrape succeeded. Fewer than you started: ask the /healthz of the missing one.',
      unit: 'count',
      as: 'figure',
      brokenBelow: 1,
      queries: [{ legend: 'up', expr: 'sum(up{job="$job",instance=~"$instance"})' }],
    },
    {
      title: 'Requests by lane',
      description:
        'What is asked, answered well or not. A step that nobody announced is a launch, a storm or a loop in an app: see "Usage spikes" on the other board for whose.',
      unit: 'requestsPerSecond',
      as: 'stacked',
      queries: [{ legend: '{{lane}}', expr: byLane() }],
    },
    {
      title: 'Shed by lane',
      description:
        'Refused by design: 429 is a quota, 503 the service that has more to do than it can. Low lanes go first (export, registration, read), so that ingest does not. Ingest here means: act.',
      unit: 'requestsPerSecond',
      as: 'stacked',
      queries: [{ legend: '{{lane}}', expr: byLane('outcome="shed"') }],
    },
    {
      title: 'Failed by lane',
      description: '5xx other than 503: a fault of the service. Any line here has a stack trace in the log of a worker.',
      unit: 'requestsPerSecond',
      as: 'stacked',
      queries: [{ legend: '{{lane}}', expr: byLane('outcome="failed"') }],
    },
    {
      title: 'Ingest latency',
      description:
        'From the request line to the last byte handed over, refusals included. p50 rising with p99: all of it is slow (CPU, disk). p99 alone: stalls.',
      unit: 'seconds',
      brokenAbove: ingestSecondsP99Max,
      queries: [0.5, 0.9, 0.99].map((q) => ({ legend: `p${q * 100}`, expr: quantile(q, 'requestSeconds', { where: 'lane="ingest"' }) })),
    },
    {
      title: 'p99 by lane',
      description: 'Whether what is slow is one lane or all of them. Only ingest has a budget; the others are there to compare.',
      unit: 'seconds',
      queries: [{ legend: '{{lane}}', expr: quantile(0.99, 'requestSeconds', { by: ['lane'] }) }],
    },
    {
      title: 'Burn rate of the error budget',
      description: `1 spends the budget of 30 days in 30 days. ${burns.fast[0].rate} over an hour pages. Over the short windows only: it has just begun, or just ended.`,
      unit: 'count',
      brokenAbove: burns.fast[0].rate,
      queries: (['5m', '1h', '6h', '3d'] as const).map((window) => ({ legend: window, expr: burnRate(window) })),
    },
  ],
};

const headroom: Row = {
  title: 'How much headroom is left?',
  panels: [
    {
      title: 'Event loop delay',
      description:
        'The longest between two scrapes, a worker. Beyond the line registrations are shed, from four times it on reads. One peak is a collection of garbage; a level is a worker with too much to do.',
      unit: 'seconds',
      brokenAbove: eventLoopDelaySecondsMax,
      queries: [{ legend: byWorker, expr: samples('eventLoopDelaySeconds', { where: worker }) }],
    },
    {
      title: 'Wall clock ahead of real time',
      description:
        'By how much the wall clock was moved since the data were begun. What lasts goes by real time, so that a step loses nothing; the stamps that people read go by the wall clock. A step: look at the time service of the machine.',
      unit: 'seconds',
      queries: [{ legend: byWorker, expr: samples('clockOffsetSeconds', { where: worker }) }],
    },
    {
      title: 'CPU by worker',
      description:
        'In cores. A worker is one thread for requests and one for the store: near 1 it is full. All of them full: add workers or machines. One of them: restart the workers one by one (SIGHUP), so that connections are spread anew.',
      unit: 'count',
      queries: [{ legend: byWorker, expr: rate('workerCpuSeconds', { where: `${worker},worker!="ended"` }) }],
    },
    {
      title: 'Resident memory by worker',
      description:
        'Grows with streams and connections, and goes back with them. What grows without them is a leak: restart the workers one by one and report it.',
      unit: 'bytes',
      queries: [{ legend: byWorker, expr: samples('workerResidentBytes', { where: worker }) }],
    },
    {
      title: 'Connections by worker',
      description:
        'Streams are among them. A worker stops accepting before its limit of descriptors (256 below it). Uneven by far: restart the workers one by one.',
      unit: 'count',
      queries: [{ legend: byWorker, expr: samples('connections', { where: worker }) }],
    },
    {
      title: 'Flush',
      description:
        'From an append until the disk has it, which every 202 waits for. Rising alone: the disk is slow, full or shared. Beyond --flush-timeout-ms ingest is answered with 503.',
      unit: 'seconds',
      queries: [0.5, 0.99].map((q) => ({ legend: `p${q * 100}`, expr: quantile(q, 'flushSeconds') })),
    },
    {
      title: 'Pending events',
      description: 'Acknowledged and not yet processed. A saw near zero is health; a ramp is a pipeline that is slower than what comes in.',
      unit: 'count',
      queries: [{ legend: 'pending', expr: stored('eventsPending') }],
    },
    {
      title: 'Pipeline lag',
      description: 'The age of the oldest pending event. Up to the line is what a worker that died costs, until another has its partitions.',
      unit: 'seconds',
      brokenAbove: pipelineLagSecondsMax,
      queries: [{ legend: 'lag', expr: stored('pipelineLagSeconds') }],
    },
  ],
};

const filtered = `sum(max by (reason) (${samples('eventsFiltered')}))`;

const books: Row = {
  title: 'Do the books balance?',
  panels: [
    {
      title: 'Events received',
      description:
        'Received is the sum of the others. Many duplicates: devices repeat what was acknowledged, so answers do not reach them. Rejected: an app sends what no schema knows.',
      unit: 'eventsPerSecond',
      queries: [
        { legend: 'received', expr: storedRate('eventsReceived') },
        { legend: 'accepted', expr: storedRate('eventsAccepted') },
        { legend: 'duplicate', expr: storedRate('eventsDuplicate') },
        { legend: 'rejected', expr: storedRate('eventsRejected') },
      ],
    },
    {
      title: 'Filtered by reason',
      description:
        'Accepted and, as the settings --filter-… say, not kept. A reason that takes over after a release of an app is that app’s fault; after a change of settings, ours.',
      unit: 'eventsPerSecond',
      as: 'stacked',
      queries: [{ legend: '{{reason}}', expr: `max by (reason) (${rate('eventsFiltered')})` }],
    },
    {
      title: 'Conservation',
      description:
        'received − accepted − duplicate − rejected, and accepted − pending − kept − filtered: 0 at rest. With several workers a scrape may be off by a few, since it reads twice while they write. To one side for good: an event is lost or counted twice; see HeadroomEventsUnaccounted.',
      unit: 'count',
      queries: [
        { legend: 'received', expr: [stored('eventsReceived'), stored('eventsAccepted'), stored('eventsDuplicate'), stored('eventsRejected')].join('\n- ') },
        { legend: 'accepted', expr: [stored('eventsAccepted'), stored('eventsPending'), stored('eventsKept'), `(${filtered} or vector(0))`].join('\n- ') },
        { legend: '{{instance}}, as the alert sees it', expr: `${unaccounted}{job="$job",instance=~"$instance"}` },
      ],
    },
  ],
};

export const serviceBoard: Board = {
  uid: 'headroom-service',
  title: 'Headroom: the service',
  description: 'Is a promise breaking, how much headroom is left, do the books balance? In the order in which somebody on call asks.',
  rows: [promises, headroom, books],
};
