/** What goes out: streams, webhooks, the archive, and whose use explodes. */
import type { Board, Row } from './board.ts';
import type { Panel } from './panel.ts';
import { archiveLagSecondsMax } from './promises.ts';
import { type MetricKey, rate, samples, storedRate } from './promql.ts';

const worker = 'worker=~"$worker"';
const summed = (key: MetricKey, where?: string): string => `sum(${rate(key, where === undefined ? {} : { where })})`;
const recently = (key: MetricKey, window: string): string => `sum(increase(${samples(key)}[${window}]))`;

const streams: Row = {
  title: 'Do streams hold, and do they tell?',
  panels: [
    {
      title: 'Streams held by worker',
      description:
        'Open streams. A step down on all workers is a network or a balancer that let go; on one of them, a worker that ended. Uneven by far after a restart: they spread again as they age (10 to 20 minutes).',
      unit: 'count',
      as: 'stacked',
      queries: [{ legend: '{{instance}} {{worker}}', expr: samples('streams', { where: worker }) }],
    },
    {
      title: 'Opened and ended',
      description:
        'Equal at rest: each stream ends itself after 10 to 20 minutes and comes again. Opened far above: a herd comes back, see "Shed by lane" whether it is let in.',
      unit: 'perSecond',
      queries: [
        { legend: 'opened', expr: summed('streamsOpened') },
        { legend: 'ended', expr: summed('streamsEnded') },
      ],
    },
    {
      title: 'Ended by code',
      description:
        'age is health, client a device that left. slow: readers that do not read (or a network that does not carry). token: tokens run out, so the app does not refresh them. drain: a deploy. error: look at the log of the workers.',
      unit: 'perSecond',
      as: 'stacked',
      queries: [{ legend: '{{code}}', expr: `sum by (code) (${rate('streamsEnded')})` }],
    },
    {
      title: 'Frames',
      description:
        'Heartbeats are what silence costs: streams held divided by 25 s. They missing while streams are held: a worker stalls, and a balancer will cut what is silent for 60 s.',
      unit: 'perSecond',
      as: 'stacked',
      queries: [
        { legend: 'news', expr: `${summed('streamFrames')} - ${summed('streamHeartbeats')}` },
        { legend: 'heartbeats', expr: summed('streamHeartbeats') },
      ],
    },
    {
      title: 'Bytes of frames',
      description: 'What the network carries for streams. Rising without frames: items grew.',
      unit: 'bytesPerSecond',
      queries: [{ legend: 'written', expr: summed('streamBytes') }],
    },
    {
      title: 'Lost pokes',
      description:
        'Logs that a position check found behind, a minute: their news came up to 10 s late. Near zero is health; a level means that processes do not hear each other.',
      unit: 'count',
      queries: [{ legend: 'caught up', expr: `sum(${rate('streamCatchUps')}) * 60` }],
    },
  ],
};

const attempts: Panel = {
  title: 'Attempts by outcome',
  description:
    'failed = retried + dead. stale: answered after their lease, so sent twice. Failures with a few breakers are a few customers’ endpoints; failures of all are ours (name server, way out).',
  unit: 'requestsPerSecond',
  queries: [{ legend: '{{outcome}}', expr: `sum by (outcome) (${rate('webhooks', { where: 'outcome=~"delivered|failed|retried|stale"' })})` }],
};

const webhooks: Row = {
  title: 'Do webhooks arrive?',
  panels: [
    attempts,
    {
      title: 'Given up, last hour',
      description:
        'dead: every attempt failed. dropped: the queue of the endpoint was full. Both can be replayed: POST /v1/webhooks/ID/replay, when the endpoint answers again.',
      unit: 'count',
      queries: [{ legend: '{{outcome}}', expr: `sum by (outcome) (increase(${samples('webhooks', { where: 'outcome=~"dead|dropped"' })}[1h]))` }],
    },
    {
      title: 'Breakers opened, last hour',
      description: 'Times that an endpoint was left alone, since it failed too often in a row. It is tried again by itself; tell its account if it goes on.',
      unit: 'count',
      queries: [{ legend: 'opened', expr: `sum(increase(${samples('webhooks', { where: 'outcome="breaker_opened"' })}[1h]))` }],
    },
  ],
};

const archive: Row = {
  title: 'Does the archive keep up?',
  panels: [
    {
      title: 'Archive lag',
      description:
        'Since the bucket that waits longest was looked at. A saw of --archive-every-ms is health. 0 for good: the archive is off, or has never been written; "Kept and archived" tells which.',
      unit: 'seconds',
      brokenAbove: archiveLagSecondsMax,
      queries: [{ legend: 'lag', expr: `max(${samples('archiveLagSeconds')})` }],
    },
    {
      title: 'Kept and archived',
      description: 'Over hours they are equal. Archived below kept: raise --archive-bytes-per-second, or see whether the folder or bucket can be written to.',
      unit: 'eventsPerSecond',
      queries: [
        { legend: 'kept', expr: storedRate('eventsKept') },
        { legend: 'archived', expr: storedRate('archivedEvents') },
      ],
    },
    {
      title: 'Segments, last hour',
      description: 'Objects written. Many with few events each: --archive-every-ms is short for so little.',
      unit: 'count',
      queries: [{ legend: 'segments', expr: `max(increase(${samples('archiveSegments')}[1h]))` }],
    },
    {
      title: 'Bytes archived',
      description: 'Packed. At --archive-bytes-per-second of every worker it is the setting that holds it back.',
      unit: 'bytesPerSecond',
      queries: [{ legend: 'written', expr: storedRate('archiveBytes') }],
    },
  ],
};

const usage: Row = {
  title: 'Whose use explodes?',
  panels: [
    {
      title: 'Usage spikes, last day',
      description:
        'Accounts whose day outran the one before by --usage-spike-factor. Each was told by the webhook usage.spike; GET /v1/usage with its secret says of what. A launch: raise its quota. A loop: call them.',
      unit: 'count',
      queries: [{ legend: 'notices', expr: recently('usageSpikes', '1d') }],
    },
  ],
};

export const outwardBoard: Board = {
  uid: 'headroom-outward',
  title: 'Headroom: what goes out',
  description: 'Streams, webhooks, the archive, and usage: whether what was acknowledged reaches those it is for.',
  rows: [streams, webhooks, archive, usage],
};
