/** Snapshots of all workers → the text that Prometheus scrapes, printed by OpenTelemetry's exporter. */
import { type HrTime, ValueType } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { emptyResource } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType, type MetricData, type MetricProducer } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { metricNames } from '#system/protocol/metric-names.ts';
import { mergeCounts, type RouteCounts, requestBucketsSeconds, type Snapshot } from './counts.ts';

type Labels = Readonly<Record<string, string>>;
type Sample = { readonly value: number; readonly labels: Labels };

export type Printer = { readonly print: (snapshots: readonly Snapshot[]) => Promise<string>; readonly close: () => Promise<void> };

export function createPrinter(): Printer {
  let current: readonly Snapshot[] = [];
  const producer: MetricProducer = {
    collect: async () => ({
      errors: [],
      resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope: { name: 'headroom' }, metrics: metricsOf(current) }] },
    }),
  };
  const exporter = new PrometheusExporter({ preventServerStart: true, metricProducers: [producer] });
  const sdk = new NodeSDK({ metricReaders: [exporter], autoDetectResources: false, instrumentations: [], traceExporter: undefined as never });
  sdk.start();
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    print: async (snapshots) => {
      current = snapshots;
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
  pipelineLagSeconds: 'Age of the oldest pending event',
  workerCpuSeconds: 'CPU of a worker, user and system',
  workerResidentBytes: 'Resident memory of a worker',
  eventLoopDelaySeconds: 'Longest delay of a worker’s event loop since it was last asked',
  connections: 'Open connections of a worker',
  streams: 'Streams held by a worker',
  streamsOpened: 'Streams opened',
  streamsEnded: 'Streams ended, by the code of their bye, or client',
  streamFrames: 'Frames written to streams',
  streamHeartbeats: 'Heartbeats among them',
  streamBytes: 'Bytes of frames',
  streamCatchUps: 'Logs that a position check found behind',
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

type HistogramSample = { readonly labels: Labels; readonly counts: RouteCounts };

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
      value: { buckets: { boundaries: [...requestBucketsSeconds], counts: buckets }, count: buckets.reduce((sum, count) => sum + count, 0), sum: sumSeconds },
    })),
  } as MetricData;
}

function metricsOf(snapshots: readonly Snapshot[]): MetricData[] {
  const { requests, routes, appends } = mergeCounts(snapshots);
  const one = (value: number): readonly Sample[] => [{ value, labels: {} }];
  const perWorker = (pick: (snapshot: Snapshot) => number): readonly Sample[] =>
    snapshots.map((snapshot) => ({ value: pick(snapshot), labels: { worker: String(snapshot.worker) } }));
  // The store is shared: any worker's answer is everybody's, and the last one asked is the freshest.
  const store = snapshots.findLast((snapshot) => snapshot.store !== undefined)?.store;
  return [
    metric(
      'requests',
      'counter',
      Object.entries(requests).map(([key, value]) => ({ value, labels: { lane: key.split(' ')[0] as string, outcome: key.split(' ')[1] as string } })),
    ),
    histogram(
      'requestSeconds',
      Object.entries(routes).map(([route, counts]) => ({ labels: { route }, counts })),
    ),
    histogram('flushSeconds', [{ labels: {}, counts: appends }]),
    metric(
      'workerCpuSeconds',
      'counter',
      perWorker(({ cpuSeconds }) => cpuSeconds),
    ),
    metric(
      'workerResidentBytes',
      'gauge',
      perWorker(({ residentBytes }) => residentBytes),
    ),
    metric(
      'eventLoopDelaySeconds',
      'gauge',
      perWorker(({ loopDelaySeconds }) => loopDelaySeconds),
    ),
    metric(
      'connections',
      'gauge',
      perWorker(({ connections }) => connections),
    ),
    ...streamMetrics(snapshots, one),
    metric(
      'streams',
      'gauge',
      perWorker(({ streams }) => streams.held),
    ),
    ...(store === undefined
      ? []
      : [
          metric('eventsReceived', 'counter', one(store.accepted + store.duplicate + store.rejected)),
          metric('eventsAccepted', 'counter', one(store.accepted)),
          metric('eventsDuplicate', 'counter', one(store.duplicate)),
          metric('eventsRejected', 'counter', one(store.rejected)),
          metric('eventsKept', 'counter', one(store.kept)),
          metric(
            'eventsFiltered',
            'counter',
            Object.entries(store.filtered).map(([reason, value]) => ({ value, labels: { reason } })),
          ),
          metric('eventsPending', 'gauge', one(store.pending)),
          metric('pipelineLagSeconds', 'gauge', one(store.lagSeconds)),
        ]),
  ];
}

function streamMetrics(snapshots: readonly Snapshot[], one: (value: number) => readonly Sample[]): MetricData[] {
  const sum = (pick: (streams: Snapshot['streams']) => number): readonly Sample[] => one(snapshots.reduce((total, { streams }) => total + pick(streams), 0));
  const ended: Record<string, number> = {};
  for (const { streams } of snapshots) for (const [code, count] of Object.entries(streams.ended)) ended[code] = (ended[code] ?? 0) + count;
  return [
    metric(
      'streamsOpened',
      'counter',
      sum(({ opened }) => opened),
    ),
    metric(
      'streamsEnded',
      'counter',
      Object.entries(ended).map(([code, value]) => ({ value, labels: { code } })),
    ),
    metric(
      'streamFrames',
      'counter',
      sum(({ frames }) => frames),
    ),
    metric(
      'streamHeartbeats',
      'counter',
      sum(({ heartbeats }) => heartbeats),
    ),
    metric(
      'streamBytes',
      'counter',
      sum(({ bytes }) => bytes),
    ),
    metric(
      'streamCatchUps',
      'counter',
      sum(({ catchUps }) => catchUps),
    ),
  ];
}
