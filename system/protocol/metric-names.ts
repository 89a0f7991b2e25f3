// The service's metric names: the harness gates on them, dashboards draw them, telemetry registers them.
// Seconds and bytes as Prometheus asks; a name here is part of the contract and is never reused with another meaning.

export const metricNames = {
  /** Counter {lane, outcome}: outcome is good, shed or failed. */
  requests: 'headroom_requests_total',
  /** Histogram {lane}, explicit buckets. */
  requestSeconds: 'headroom_request_duration_seconds',
  /** Histogram: from the append's start until its flush returned. */
  flushSeconds: 'headroom_store_flush_duration_seconds',
  /** Counters kept in the store, so that they outlive every worker: received = accepted + duplicate + rejected. */
  eventsReceived: 'headroom_events_received_total',
  eventsAccepted: 'headroom_events_accepted_total',
  eventsDuplicate: 'headroom_events_duplicate_total',
  eventsRejected: 'headroom_events_rejected_total',
  /** Gauge: accepted and not yet stepped over by the pipeline. accepted = pending + kept + filtered. */
  eventsPending: 'headroom_events_pending',
  eventsKept: 'headroom_events_kept_total',
  /** Counter {reason}. */
  eventsFiltered: 'headroom_events_filtered_total',
  /** What stands in the archive; the gauge is the time since the bucket that waits longest was looked at. */
  archivedEvents: 'headroom_archive_events_total',
  archiveSegments: 'headroom_archive_segments_total',
  archiveBytes: 'headroom_archive_bytes_total',
  archiveLagSeconds: 'headroom_archive_lag_seconds',
  /** Gauge: age of the oldest pending event. */
  pipelineLagSeconds: 'headroom_pipeline_lag_seconds',
  /** Per worker {worker}. */
  workerCpuSeconds: 'headroom_worker_cpu_seconds_total',
  workerResidentBytes: 'headroom_worker_resident_bytes',
  eventLoopDelaySeconds: 'headroom_event_loop_delay_seconds',
  /** How far the wall clock is ahead of real time since the data were begun: it changes where the clock is put. */
  clockOffsetSeconds: 'headroom_clock_offset_seconds',
  connections: 'headroom_connections',
  streams: 'headroom_streams',
  /** Counters over all workers. `ended` {code}: a bye's code, or client. */
  streamsOpened: 'headroom_streams_opened_total',
  streamsEnded: 'headroom_streams_ended_total',
  streamFrames: 'headroom_stream_frames_total',
  streamHeartbeats: 'headroom_stream_heartbeats_total',
  streamBytes: 'headroom_stream_bytes_total',
  /** Logs that a position check found behind: pokes that were lost. */
  streamCatchUps: 'headroom_stream_catch_ups_total',
  /** Notices that an account's day outran the one before. */
  usageSpikes: 'headroom_usage_spikes_total',
  /**
   * Counter {outcome} over all workers. Attempts: delivered, failed = retried + dead; stale: answered after their lease. Deliveries: dead; dropped: their
   * queue was full. breaker_opened: times that an endpoint was left alone.
   */
  webhooks: 'headroom_webhooks_total',
} as const;
