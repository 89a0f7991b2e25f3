/**
 * Arrivals that waited because every connection of the fleet was busy. Whose doing is that? The service's, as long as the fleet has
 * as many connections as its load takes where answers come within what is promised: then they are all busy only because answers come
 * later than that. With fewer the fleet itself limits the load, whatever the service does, and nothing is told.
 */
import { connectionOf } from '#harness/pacing/fleet-connections.ts';
import { peakPerSecond } from '#harness/pacing/rate.ts';
import type { RunResult } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { plural, shortNumber } from './wording.ts';

export type HeldPhase = {
  readonly name: string;
  readonly held: number;
  readonly neverFired: number;
  readonly connections: number;
  /** The fleet has fewer than its load takes within the promised time. */
  readonly isTooSmall: boolean;
  readonly text: string;
};

/** The shortest time within which a scenario wants answers, in ms; undefined where it wants none. */
function promisedMs({ fleet, thresholds }: Scenario): number | undefined {
  const limits = thresholds.flatMap(({ metric, expression }) => {
    if (!metric.startsWith('response_ms')) return [];
    const limit = /<=?\s*([\d.]+)/.exec(expression)?.[1];
    return limit === undefined ? [] : [Number(limit)];
  });
  const wanted = fleet.goodWithinMs === undefined ? limits : [...limits, fleet.goodWithinMs];
  return wanted.length === 0 ? undefined : Math.min(...wanted);
}

/** What a fleet has as soon as it needs them. */
function connectionsOf({ fleet, phases }: Scenario): number {
  const connection = connectionOf(fleet, phases);
  if (connection.kind === 'per-request') return connection.openMax;
  const { connections, openMax = Number.POSITIVE_INFINITY, opening } = connection;
  return Math.min(openMax, connections + (opening?.atOnce ?? Number.POSITIVE_INFINITY));
}

/** The measured phases in which somebody waited so. */
export function heldPhases({ cells, phases, run }: Pick<RunResult, 'cells' | 'phases' | 'run'>): readonly HeldPhase[] {
  return phases.flatMap(({ name, measured }, index) => {
    const counts = cells.flatMap((cell) => (cell.phase === index ? [cell.counts] : []));
    const neverFired = counts.reduce((sum, { heldNever = 0 }) => sum + heldNever, 0);
    const held = counts.reduce((sum, { heldLate = 0 }) => sum + heldLate, neverFired);
    const planned = run.scenario.phases[index];
    if (!measured || held === 0 || planned === undefined) return [];
    const connections = connectionsOf(run.scenario);
    const promised = promisedMs(run.scenario);
    const needed = promised === undefined ? 0 : (peakPerSecond(planned) * promised) / 1000;
    const isTooSmall = connections < needed;
    const waited = `phase ${name}: all connections of the fleet were busy, and ${plural(held, 'arrival')} waited for one more than 100 ms, ${shortNumber(neverFired)} of them until their timeout`;
    const why = isTooSmall
      ? `the ${shortNumber(connections)} that it has carry only ${shortNumber((connections * 1000) / (promised as number))}/s where an answer takes the promised ${shortNumber(promised as number)} ms: the fleet limited the load; raise fleet.connection.openMax (or connections)`
      : `the service held them, and it is its time that they waited`;
    return [{ name, held, neverFired, connections, isTooSmall, text: `${waited}: ${why}` }];
  });
}
