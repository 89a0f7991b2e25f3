/** Snapshots of all workers → the text that Prometheus scrapes, printed by OpenTelemetry's exporter. */
import { type HrTime, ValueType } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { emptyResource } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType, type MetricData, type MetricProducer } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { metricNames } from '#system/protocol/metric-names.ts';
import { mergePast, type Past, requestBucketsSeconds, type Snapshot } from './counts.ts';

type Labels = Readonly<Record<string, string>>;
type Sample = { readonly value: number; readonly labels: Labels };

export type Printer = {
  /** `past`: of workers that ended, or did not answer. */
  readonly print: (present: readonly Snapshot[], past?: readonly Past[]) => Promise<string>;
  readonly close: () => Promise<void>;
};

export function createPrinter(): Printer {
  let current: readonly MetricData[] = [];
  const producer: MetricProducer = {
    collect: async () => ({
      errors: [],
      resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope: { name: 'headroom' }, metrics: [...current] }] },
    }),
  };
  const exporter = new PrometheusExporter({ preventServerStart: true, metricProducers: [producer] });
  const sdk = new NodeSDK({ metricReaders: [exporter], autoDetectResources: false, instrumentations: [], traceExporter: undefined as never });
  sdk.start();
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    print: async (present, past = []) => {
      current = metricsOf(present, past);
      const { resourceMetrics } = await exporter.collect();
      return serializer.serialize(resourceMetrics);
    },
    close: () => sdk.shutdown(),
  };
}

const now = (): HrTime => [Math.floor(Date.now() / 1000), 0];

type MetricKey = keyof typeof metricNames;

const help: Readonly<Record<MetricKey, string>> = {
  requests: 'Requests answered, by lane and outcome',
  requestSeconds: 'From the request line to the last byte handed over',
  flushSeconds: 'From an append until its flush returned',
  eventsReceived: 'Events in batches that were understood: accepted, duplicate and rejected',
  eventsAccepted: 'Events acknowledged for the first time',
  eventsDuplicate: 'Events that were there already',
  eventsRejected: 'Events refused one by one within an accepted batch',
  eventsPending: 'Events accepted and not yet stepped over by the pipeline',
  eventsKept: 'Events that the pipeline kept',
  eventsFiltered: 'Events that the pipeline left out, by reason',
  archivedEvents: 'Events in the archive',
  archiveSegments: 'Segments in the archive',
  archiveBytes: 'Packed bytes in the archive',
  archiveLagSeconds: 'Since the bucket that waits longest was archived; 0 before the first time',
  pipelineLagSeconds: 'Age of the oldest pending event',
  workerCpuSeconds: 'CPU of a worker, user and system',
  workerResidentBytes: 'Resident memory of a worker',
  eventLoopDelaySeconds: 'Longest delay of a worker’s event loop since it was last asked',
  clockOffsetSeconds: 'How far the wall clock is ahead of real time since the data were begun',
  connections: 'Open connections of a worker',
  streams: 'Streams held by a worker',
  streamsOpened: 'Streams opened',
  streamsEnded: 'Streams ended, by the code of their bye, or client',
  streamFrames: 'Frames written to streams',
  streamHeartbeats: 'Heartbeats among them',
  streamBytes: 'Bytes of frames',
  streamCatchUps: 'Logs that a position check found behind',
  usageSpikes: 'Notices that an account’s day outran the one before',
  webhooks: 'Webhook attempts and deliveries by what became of them',
};

const descriptorOf = (key: MetricKey, isCounter: boolean) => ({
  // The exporter puts a counter's _total behind its name.
  name: isCounter ? metricNames[key].replace(/_total$/, '') : metricNames[key],
  description: help[key],
  unit: '',
  valueType: ValueType.DOUBLE,
  advice: {},
});

function metric(key: MetricKey, kind: 'counter' | 'gauge', samples: readonly Sample[]): MetricData {
  const time = now();
  return {
    descriptor: descriptorOf(key, kind === 'counter'),
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: kind === 'counter' ? DataPointType.SUM : DataPointType.GAUGE,
    isMonotonic: kind === 'counter',
    dataPoints: samples.map(({ value, labels }) => ({ startTime: time, endTime: time, attributes: labels, value })),
  } as MetricData;
}

type HistogramSample = { readonly labels: Labels; readonly counts: Snapshot['appends'] };

function histogram(key: MetricKey, samples: readonly HistogramSample[]): MetricData {
  const time = now();
  return {
    descriptor: descriptorOf(key, false),
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: samples.map(({ labels, counts: { buckets, sumSeconds } }) => ({
      startTime: time,
      endTime: time,
      attributes: labels,
      value: {
        buckets: { boundaries: [...requestBucketsSeconds], counts: [...buckets] },
        count: buckets.reduce((sum, count) => sum + count, 0),
        sum: sumSeconds,
      },
    })),
  } as MetricData;
}

function metricsOf(present: readonly Snapshot[], past: readonly Past[]): MetricData[] {
  const all = mergePast([...present, ...past]);
  const perWorker = (pick: (snapshot: Snapshot) => number): readonly Sample[] =>
    present.map((snapshot) => ({ value: pick(snapshot), labels: { worker: String(snapshot.worker) } }));
  return [
    counter(
      'requests',
      samplesOf(all.requests, (key) => ({ lane: key.split(' ')[0] as string, outcome: key.split(' ')[1] as string })),
    ),
    histogram(
      'requestSeconds',
      Object.entries(all.lanes).map(([lane, counts]) => ({ labels: { lane }, counts })),
    ),
    histogram('flushSeconds', [{ labels: {}, counts: all.appends }]),
    counter(
      'workerCpuSeconds',
      [...present, ...past].map(({ worker, cpuSeconds }) => ({ value: cpuSeconds, labels: { worker: String(worker) } })),
    ),
    gauge(
      'workerResidentBytes',
      perWorker(({ residentBytes }) => residentBytes),
    ),
    gauge(
      'eventLoopDelaySeconds',
      perWorker(({ loopDelaySeconds }) => loopDelaySeconds),
    ),
    gauge(
      'clockOffsetSeconds',
      perWorker(({ clockOffsetSeconds }) => clockOffsetSeconds),
    ),
    gauge(
      'connections',
      perWorker(({ connections }) => connections),
    ),
    gauge(
      'streams',
      perWorker(({ streams }) => streams.held),
    ),
    ...streamCounters(all.streams),
    counter('usageSpikes', one(all.usageSpikes)),
    counter(
      'webhooks',
      samplesOf(all.webhooks ?? {}, (outcome) => ({ outcome })),
    ),
    ...storeMetrics(present),
  ];
}

const counter = (key: MetricKey, samples: readonly Sample[]): MetricData => metric(key, 'counter', samples);
const gauge = (key: MetricKey, samples: readonly Sample[]): MetricData => metric(key, 'gauge', samples);
const one = (value: number): readonly Sample[] => [{ value, labels: {} }];
const samplesOf = (counts: Readonly<Record<string, number>>, labelsOf: (key: string) => Labels): readonly Sample[] =>
  Object.entries(counts).map(([key, value]) => ({ value, labels: labelsOf(key) }));

const streamCounters = ({ opened, ended, frames, heartbeats, bytes, catchUps }: Past['streams']): readonly MetricData[] => [
  counter('streamsOpened', one(opened)),
  counter(
    'streamsEnded',
    samplesOf(ended, (code) => ({ code })),
  ),
  counter('streamFrames', one(frames)),
  counter('streamHeartbeats', one(heartbeats)),
  counter('streamBytes', one(bytes)),
  counter('streamCatchUps', one(catchUps)),
];

/** The store is shared: any worker's answer is everybody's, and the last one asked is the freshest. */
function storeMetrics(present: readonly Snapshot[]): readonly MetricData[] {
  const store = present.findLast((snapshot) => snapshot.store !== undefined)?.store;
  if (store === undefined) return [];
  return [
    counter('eventsReceived', one(store.accepted + store.duplicate + store.rejected)),
    counter('eventsAccepted', one(store.accepted)),
    counter('eventsDuplicate', one(store.duplicate)),
    counter('eventsRejected', one(store.rejected)),
    counter('eventsKept', one(store.kept)),
    counter(
      'eventsFiltered',
      samplesOf(store.filtered, (reason) => ({ reason })),
    ),
    gauge('eventsPending', one(store.pending)),
    gauge('pipelineLagSeconds', one(store.lagSeconds)),
    counter('archivedEvents', one(store.archive.events)),
    counter('archiveSegments', one(store.archive.segments)),
    counter('archiveBytes', one(store.archive.bytes)),
    gauge('archiveLagSeconds', one(store.archive.lagSeconds)),
  ];
}
