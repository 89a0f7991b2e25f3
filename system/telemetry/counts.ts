/** One worker's numbers, and how workers' numbers add up. */

/** Upper bounds in seconds, around the budgets that are gated: 250 ms for ingest. */
export const requestBucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

export type Outcome = 'good' | 'shed' | 'failed';
export type RouteCounts = { readonly buckets: number[]; sumSeconds: number };

export type Snapshot = {
  readonly worker: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly routes: Readonly<Record<string, { readonly buckets: readonly number[]; readonly sumSeconds: number }>>;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly loopDelaySeconds: number;
  readonly connections: number;
  readonly store:
    | {
        readonly accepted: number;
        readonly duplicate: number;
        readonly rejected: number;
        readonly kept: number;
        readonly filtered: Readonly<Record<string, number>>;
        readonly pending: number;
        readonly lagSeconds: number;
      }
    | undefined;
};

export type Counts = {
  /** `lane` is ingest, read, registration, token or other. */
  readonly record: (lane: string, route: string, status: number, elapsedMs: number) => void;
  readonly requests: Readonly<Record<string, number>>;
  readonly routes: Readonly<Record<string, RouteCounts>>;
};

export const outcomeOf = (status: number): Outcome => (status === 429 || status === 503 ? 'shed' : status >= 500 ? 'failed' : 'good');

export function createCounts(): Counts {
  const requests: Record<string, number> = {};
  const routes: Record<string, RouteCounts> = {};
  return {
    requests,
    routes,
    record: (lane, route, status, elapsedMs) => {
      const key = `${lane} ${outcomeOf(status)}`;
      requests[key] = (requests[key] ?? 0) + 1;
      let counts = routes[route];
      if (counts === undefined) {
        counts = { buckets: new Array<number>(requestBucketsSeconds.length + 1).fill(0), sumSeconds: 0 };
        routes[route] = counts;
      }
      const seconds = elapsedMs / 1000;
      let bucket = 0;
      while (bucket < requestBucketsSeconds.length && seconds > (requestBucketsSeconds[bucket] as number)) bucket++;
      counts.buckets[bucket] = (counts.buckets[bucket] as number) + 1;
      counts.sumSeconds += seconds;
    },
  };
}

export type Merged = { readonly requests: Record<string, number>; readonly routes: Record<string, RouteCounts> };

/** Sums that belong to all workers; gauges of one worker stay with it. */
export function mergeCounts(snapshots: readonly Pick<Snapshot, 'requests' | 'routes'>[]): Merged {
  const merged: Merged = { requests: {}, routes: {} };
  for (const { requests, routes } of snapshots) {
    for (const [key, count] of Object.entries(requests)) merged.requests[key] = (merged.requests[key] ?? 0) + count;
    for (const [route, { buckets, sumSeconds }] of Object.entries(routes)) {
      const sum = merged.routes[route];
      if (sum === undefined) merged.routes[route] = { buckets: [...buckets], sumSeconds };
      else {
        for (const [i, count] of buckets.entries()) sum.buckets[i] = (sum.buckets[i] ?? 0) + count;
        sum.sumSeconds += sumSeconds;
      }
    }
  }
  return merged;
}
