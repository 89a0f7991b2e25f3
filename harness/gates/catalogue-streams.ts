/** The metrics of streams and of what readers got, as data. */
import type { ItemField, Metric, MetricSource } from './metric.ts';

type Counts = Extract<MetricSource, { kind: 'stream-count' }>['counts'];
type Time = Extract<MetricSource, { kind: 'stream-time' }>['time'];

const ofReaders = { selectors: ['phase', 'reader'], required: [] } as const;
const ofTimes = { ...ofReaders, unit: 'ms', aggregations: ['p', 'min', 'max', 'avg', 'med'], windowed: true } as const;

const time = (name: string, what: string, of: Time, never?: string): Metric => ({
  name,
  what,
  ...ofTimes,
  source: { kind: 'stream-time', time: of, ...(never === undefined ? {} : { never }) },
});
const counted = (name: string, unit: Metric['unit'], what: string, ...counts: Counts): Metric => ({
  ...ofReaders,
  name,
  unit,
  what,
  aggregations: ['count', 'max'],
  windowed: true,
  source: { kind: 'stream-count', counts },
});
const changes = (name: string, what: string, ...fields: readonly ItemField[]): Metric => ({
  name,
  unit: 'changes',
  what,
  aggregations: ['count'],
  selectors: [],
  required: [],
  windowed: false,
  source: { kind: 'items', fields },
});
const ofProcess = { aggregations: ['value'], selectors: ['process', 'phase'], required: ['process'], windowed: false } as const;

export const streamMetrics: readonly Metric[] = [
  { ...time('hello_ms', 'dialled → hello frame', 'hello', 'not opened'), selectors: ['phase', 'reader', 'outcome'] },
  time('delivery_lag_ms', 'write acknowledged → its change arrived, 0 where the change was first', 'delivery_lag'),
  time('frame_gap_ms', 'between two frames of a live stream', 'frame_gap'),
  time('resume_ms', 'a stream ended → caught up again', 'resume', 'never back'),
  time('offline_after_ms', "a device's stream was closed → it was told to be offline", 'offline_after', 'never offline'),
  { ...time('lifetime_seconds', 'hello → end, of streams that ended', 'lifetime'), unit: 's', windowed: false },
  counted('streams_dialled', 'streams', 'connections begun, polls included', 'dialled'),
  counted('streams_opened', 'streams', 'said hello', 'opened'),
  counted('streams_resumed', 'streams', 'said hello and resumed at their cursor', 'resumed'),
  counted('streams_refused', 'streams', 'answered 429 or 503', 'refused'),
  counted('streams_failed', 'streams', 'could not connect, or answered something that is no stream', 'failed'),
  counted('streams_lost', 'streams', 'ended without a goodbye', 'lost'),
  counted('streams_ended', 'streams', 'lost, or ended by a bye', 'lost', 'byes'),
  counted('streams_resynced', 'streams', 'had to begin anew', 'resynced'),
  counted('heartbeats_late', 'heartbeats', 'gaps of more than 1.1 heartbeats and 250 ms', 'heartbeatsLate'),
  counted('heartbeats_missed', 'heartbeats', 'gaps of more than two heartbeats', 'heartbeatsMissed'),
  counted('stream_frames', 'frames', 'frames that arrived', 'frames'),
  counted('stream_bytes_in', 'bytes', 'bytes that arrived', 'bytesIn'),
  counted('stream_bytes_out', 'bytes', 'bytes that were sent', 'bytesOut'),
  {
    ...ofReaders,
    name: 'streams_held',
    unit: 'streams',
    what: 'live readers at the end of each whole second of the phases',
    aggregations: ['min', 'max', 'last'],
    windowed: false,
    source: { kind: 'held' },
  },
  changes('changes_lost', 'acknowledged, and not in the log or not seen by a reader that had to', 'lostFromLog', 'lost'),
  changes('changes_duplicated', 'seen by a reader more than once', 'duplicated'),
  changes('changes_reordered', 'seen by a reader behind a later one', 'reordered'),
  changes('changes_leaked', 'seen by a reader whose user may not', 'leaked'),
  { ...ofProcess, name: 'cpu_micros_per_frame', unit: 'µs', what: 'processor time a frame that arrived', source: { kind: 'cpu', per: 'frame' } },
  {
    ...ofProcess,
    name: 'resident_bytes_per_stream',
    unit: 'bytes',
    what: "the most resident memory, less that of the run's first second, by the most streams held",
    source: { kind: 'resident' },
  },
];
