/** Snapshots of all workers → the text that Prometheus scrapes, printed by OpenTelemetry's exporter. */
import { type HrTime, ValueType } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { emptyResource } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType, type MetricData, type MetricProducer } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { metricNames } from '#system/protocol/metric-names.ts';
import { mergeCounts, requestBucketsSeconds, type Snapshot } from './counts.ts';

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
  const serializer = new PrometheusSerializer(undefined, false);
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

function metric(name: string, kind: 'counter' | 'gauge', samples: readonly Sample[]): MetricData {
  const time = now();
  return {
    descriptor: { name: kind === 'counter' ? name.replace(/_total$/, '') : name, description: name, unit: '', valueType: ValueType.DOUBLE, advice: {} },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: kind === 'counter' ? DataPointType.SUM : DataPointType.GAUGE,
    isMonotonic: kind === 'counter',
    dataPoints: samples.map(({ value, labels }) => ({ startTime: time, endTime: time, attributes: labels, value })),
  } as MetricData;
}

function requestHistogram(routes: ReturnType<typeof mergeCounts>['routes']): MetricData {
  const time = now();
  return {
    descriptor: {
      name: metricNames.requestSeconds,
      description: 'From the request line to the last byte handed over',
      unit: '',
      valueType: ValueType.DOUBLE,
      advice: {},
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: Object.entries(routes).map(([route, { buckets, sumSeconds }]) => ({
      startTime: time,
      endTime: time,
      attributes: { route },
      value: { buckets: { boundaries: [...requestBucketsSeconds], counts: buckets }, count: buckets.reduce((sum, count) => sum + count, 0), sum: sumSeconds },
    })),
  } as MetricData;
}

function metricsOf(snapshots: readonly Snapshot[]): MetricData[] {
  const { requests, routes } = mergeCounts(snapshots);
  const one = (value: number): readonly Sample[] => [{ value, labels: {} }];
  const perWorker = (pick: (snapshot: Snapshot) => number): readonly Sample[] =>
    snapshots.map((snapshot) => ({ value: pick(snapshot), labels: { worker: String(snapshot.worker) } }));
  // The store is shared: any worker's answer is everybody's, and the last one asked is the freshest.
  const store = snapshots.findLast((snapshot) => snapshot.store !== undefined)?.store;
  return [
    metric(
      metricNames.requests,
      'counter',
      Object.entries(requests).map(([key, value]) => ({ value, labels: { lane: key.split(' ')[0] as string, outcome: key.split(' ')[1] as string } })),
    ),
    requestHistogram(routes),
    metric(
      metricNames.workerCpuSeconds,
      'counter',
      perWorker(({ cpuSeconds }) => cpuSeconds),
    ),
    metric(
      metricNames.workerResidentBytes,
      'gauge',
      perWorker(({ residentBytes }) => residentBytes),
    ),
    metric(
      metricNames.eventLoopDelaySeconds,
      'gauge',
      perWorker(({ loopDelaySeconds }) => loopDelaySeconds),
    ),
    metric(
      metricNames.connections,
      'gauge',
      perWorker(({ connections }) => connections),
    ),
    ...(store === undefined
      ? []
      : [
          metric(metricNames.eventsReceived, 'counter', one(store.accepted + store.duplicate + store.rejected)),
          metric(metricNames.eventsAccepted, 'counter', one(store.accepted)),
          metric(metricNames.eventsDuplicate, 'counter', one(store.duplicate)),
          metric(metricNames.eventsRejected, 'counter', one(store.rejected)),
          metric(metricNames.eventsKept, 'counter', one(store.kept)),
          metric(
            metricNames.eventsFiltered,
            'counter',
            Object.entries(store.filtered).map(([reason, value]) => ({ value, labels: { reason } })),
          ),
          metric(metricNames.eventsPending, 'gauge', one(store.pending)),
          metric(metricNames.pipelineLagSeconds, 'gauge', one(store.lagSeconds)),
        ]),
  ];
}
