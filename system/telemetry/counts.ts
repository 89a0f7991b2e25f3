/** One worker's numbers, and how workers' numbers add up. */

/** Upper bounds in seconds, around the budgets that are gated: 250 ms for ingest. */
export const requestBucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

const outcomes = ['good', 'shed', 'failed'] as const;
export type Outcome = (typeof outcomes)[number];
/** A histogram over `requestBucketsSeconds`, one bucket more for what is beyond. */
export type DurationCounts = { readonly buckets: number[]; sumSeconds: number };

export type Snapshot = {
  readonly worker: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly lanes: Readonly<Record<string, { readonly buckets: readonly number[]; readonly sumSeconds: number }>>;
  readonly appends: { readonly buckets: readonly number[]; readonly sumSeconds: number };
  readonly usageSpikes: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly loopDelaySeconds: number;
  readonly clockOffsetSeconds: number;
  readonly connections: number;
  readonly streams: {
    readonly held: number;
    readonly opened: number;
    readonly frames: number;
    readonly heartbeats: number;
    readonly bytes: number;
    readonly catchUps: number;
    readonly ended: Readonly<Record<string, number>>;
  };
  /** By what they count. */
  readonly webhooks?: Readonly<Record<string, number>>;
  readonly store:
    | {
        readonly accepted: number;
        readonly duplicate: number;
        readonly rejected: number;
        readonly kept: number;
        readonly filtered: Readonly<Record<string, number>>;
        readonly pending: number;
        readonly lagSeconds: number;
        readonly archive: { readonly events: number; readonly segments: number; readonly bytes: number; readonly lagSeconds: number };
      }
    | undefined;
};

/** What goes on counting when a worker has ended; `ended` stands for all of those. A snapshot is one of them. */
export type Past = Pick<Snapshot, 'requests' | 'lanes' | 'appends' | 'usageSpikes' | 'cpuSeconds' | 'webhooks'> & {
  readonly worker: number | 'ended';
  readonly streams: Omit<Snapshot['streams'], 'held'>;
};

export type Counts = {
  /** By lane and not by route: with its buckets a route has fifteen series, and there are dozens of routes. */
  readonly record: (lane: string, status: number, elapsedMs: number) => void;
  /** From an append's start until its flush returned. */
  readonly recordAppend: (elapsedMs: number) => void;
  readonly recordSpike: () => void;
  readonly usageSpikes: () => number;
  readonly requests: Readonly<Record<string, number>>;
  readonly lanes: Readonly<Record<string, DurationCounts>>;
  readonly appends: DurationCounts;
};

export const outcomeOf = (status: number): Outcome => (status === 429 || status === 503 ? 'shed' : status >= 500 ? 'failed' : 'good');

const noCounts = (): DurationCounts => ({ buckets: new Array<number>(requestBucketsSeconds.length + 1).fill(0), sumSeconds: 0 });

function addTo(counts: DurationCounts, elapsedMs: number): void {
  const seconds = elapsedMs / 1000;
  let bucket = 0;
  while (bucket < requestBucketsSeconds.length && seconds > (requestBucketsSeconds[bucket] as number)) bucket++;
  counts.buckets[bucket] = (counts.buckets[bucket] as number) + 1;
  counts.sumSeconds += seconds;
}

/** `laneNames`: counted from 0 on, since what a series began with is no increase to whoever reads it. */
export function createCounts(laneNames: readonly string[] = []): Counts {
  const requests: Record<string, number> = Object.fromEntries(laneNames.flatMap((lane) => outcomes.map((outcome) => [`${lane} ${outcome}`, 0])));
  const lanes: Record<string, DurationCounts> = {};
  const appends = noCounts();
  let spikes = 0;
  return {
    requests,
    lanes,
    appends,
    recordSpike: () => void spikes++,
    usageSpikes: () => spikes,
    recordAppend: (elapsedMs) => addTo(appends, elapsedMs),
    record: (lane, status, elapsedMs) => {
      const key = `${lane} ${outcomeOf(status)}`;
      requests[key] = (requests[key] ?? 0) + 1;
      lanes[lane] ??= noCounts();
      addTo(lanes[lane], elapsedMs);
    },
  };
}

export type Merged = { readonly requests: Record<string, number>; readonly lanes: Record<string, DurationCounts>; readonly appends: DurationCounts };

/** Sums that belong to all workers; gauges of one worker stay with it. */
export function mergeCounts(snapshots: readonly Pick<Snapshot, 'requests' | 'lanes' | 'appends'>[]): Merged {
  const merged: Merged = { requests: {}, lanes: {}, appends: noCounts() };
  for (const { requests, lanes, appends } of snapshots) {
    for (const [key, count] of Object.entries(requests)) merged.requests[key] = (merged.requests[key] ?? 0) + count;
    addAll(merged.appends, appends);
    for (const [lane, counts] of Object.entries(lanes)) {
      merged.lanes[lane] ??= noCounts();
      addAll(merged.lanes[lane], counts);
    }
  }
  return merged;
}

/** Workers that ended, as one. */
export function mergePast(all: readonly Past[]): Past {
  const sum = (pick: (past: Past) => number): number => all.reduce((total, past) => total + pick(past), 0);
  const sumBy = (pick: (past: Past) => Readonly<Record<string, number>>): Readonly<Record<string, number>> => {
    const sums: Record<string, number> = {};
    for (const past of all) for (const [name, count] of Object.entries(pick(past))) sums[name] = (sums[name] ?? 0) + count;
    return sums;
  };
  return {
    worker: 'ended',
    ...mergeCounts(all),
    usageSpikes: sum(({ usageSpikes }) => usageSpikes),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    streams: {
      opened: sum(({ streams }) => streams.opened),
      frames: sum(({ streams }) => streams.frames),
      heartbeats: sum(({ streams }) => streams.heartbeats),
      bytes: sum(({ streams }) => streams.bytes),
      catchUps: sum(({ streams }) => streams.catchUps),
      ended: sumBy(({ streams }) => streams.ended),
    },
    webhooks: sumBy(({ webhooks = {} }) => webhooks),
  };
}

function addAll(sum: DurationCounts, { buckets, sumSeconds }: Snapshot['appends']): void {
  for (const [i, count] of buckets.entries()) sum.buckets[i] = (sum.buckets[i] ?? 0) + count;
  sum.sumSeconds += sumSeconds;
}
