/**
 * How many connections a fleet has, and how fast it opens more. What a scenario leaves open follows from its devices and its plan:
 * a device has a few connections at most, and a fleet that meets a service which does not answer grows at once by what arrives
 * in a quarter of a second, and then reconnects at a sixtieth of its rate. Pure.
 */

import type { Fleet, Phase } from '#harness/scenario.ts';
import { peakPerSecond } from './rate.ts';

export type FleetConnection =
  | {
      readonly kind: 'per-device-group';
      readonly connections: number;
      /** Connections that the fleet has at most; missing: as many as are needed. */
      readonly openMax?: number;
      /** How fast the fleet opens more than its groups' own; missing: as fast as they are needed. */
      readonly opening?: { readonly perSecond: number; readonly atOnce: number };
    }
  | { readonly kind: 'per-request'; readonly openMax: number };

/** As an HTTP client keeps them for one host. */
const ofDeviceMax = 4;
/** Of the plan's peak: what may be opened at once, as seconds of arrivals, and after that as a share of them. */
const atOnceSeconds = 0.25;
const perArrivalMax = 1 / 60;
const atOnceMin = 256;
const perSecondMin = 50;

export function connectionOf(
  { connection, devices }: Pick<Fleet, 'connection' | 'devices'>,
  phases: readonly Pick<Phase, 'rate' | 'durationSeconds'>[],
): FleetConnection {
  if (connection.kind === 'per-request') return connection;
  const { kind, connections, openMax = ofDeviceMax * devices, opensPerSecond } = connection;
  const peak = Math.max(0, ...phases.map(peakPerSecond));
  const opening =
    opensPerSecond === undefined
      ? {
          perSecond: Math.max(perSecondMin, peak * perArrivalMax),
          atOnce: Math.max(atOnceMin, peak * atOnceSeconds),
        }
      : { perSecond: opensPerSecond, atOnce: opensPerSecond };
  return { kind, connections, openMax: Math.max(connections, openMax), opening };
}
