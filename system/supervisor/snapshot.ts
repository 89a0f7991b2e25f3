/** What one worker says of itself when it is asked. */
import cluster from 'node:cluster';
import type { FastifyInstance } from 'fastify';
import { systemClock } from '#system/clock.ts';
import type { Store } from '#system/store/store.ts';
import type { ClockWatch } from '#system/telemetry/clock-watch.ts';
import type { Counts, Snapshot } from '#system/telemetry/counts.ts';
import { watchLoopDelay } from './loop-delay.ts';

type Watching = {
  readonly store: Store;
  readonly counts: Counts;
  readonly app: FastifyInstance;
  readonly webhooks: Readonly<Record<string, number>>;
  readonly connections: () => Promise<number>;
  readonly clock: ClockWatch;
};

export function createSnapshots({ store, counts, app, webhooks, connections, clock }: Watching): () => Promise<Snapshot> {
  const takeLoopDelaySeconds = watchLoopDelay();
  return async () => {
    const cpu = process.cpuUsage();
    const [open, stored] = await Promise.all([connections(), readStore(store)]);
    return {
      worker: cluster.worker?.id ?? 1,
      requests: counts.requests,
      lanes: counts.lanes,
      appends: counts.appends,
      usageSpikes: counts.usageSpikes(),
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      residentBytes: readResident(),
      loopDelaySeconds: takeLoopDelaySeconds(),
      clockOffsetSeconds: clock.offsetSeconds(),
      connections: open,
      streams: { ...app.hub.counts, held: app.hub.held() },
      webhooks,
      store: stored,
    };
  };
}

async function readStore(store: Store): Promise<Snapshot['store']> {
  try {
    const [counters, backlog, archive] = await Promise.all([store.readCounters(), store.readBacklog(), store.readArchive()]);
    const lagSeconds = backlog.oldestReceivedAtMs === undefined ? 0 : Math.max(0, (systemClock.wallMs() - backlog.oldestReceivedAtMs) / 1000);
    const archivedMs = Math.min(...archive.partitions.map(({ endedAtMs }) => endedAtMs));
    const archiveLagSeconds = archivedMs === 0 ? 0 : Math.max(0, (systemClock.wallMs() - archivedMs) / 1000);
    return { ...counters, pending: backlog.pending, lagSeconds, archive: { ...archive.totals, lagSeconds: archiveLagSeconds } };
  } catch {
    // Without its store a worker still tells the rest; the missing samples are what an alarm looks for.
    return undefined;
  }
}

/** At the descriptor limit memoryUsage throws, since it opens a file: a metric must not end a worker. */
function readResident(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}
