/** What bounds one worker's connections: its share of what the fleet has, and of what the process may have. */
import type { PoolOptions } from './connection-pool.ts';
import { OpeningPace } from './opening-pace.ts';
import type { WorkerInput } from './worker-input.ts';

type PoolLimits = Pick<PoolOptions, 'fleetMax' | 'processMax' | 'pace'>;

export function poolLimitsOf({ connection, connectionsMax, workers }: WorkerInput): PoolLimits {
  const share = (all: number): number => Math.max(1, Math.floor(all / workers));
  if (connection.kind === 'per-request') {
    // Each request has a connection of its own in the field: the bound is the generator's.
    const processMax = Math.min(share(connection.openMax), Math.max(1, connectionsMax));
    return { fleetMax: Number.POSITIVE_INFINITY, processMax, pace: undefined };
  }
  const { openMax = Number.POSITIVE_INFINITY, opening } = connection;
  const pace = opening === undefined ? undefined : new OpeningPace({ perSecond: opening.perSecond / workers, atOnce: opening.atOnce / workers });
  return { fleetMax: share(openMax), processMax: Math.max(1, connectionsMax), pace };
}
