import { expect, test } from 'vitest';
import { connectionOf } from './fleet-connections.ts';
import type { ArrivalPhase } from './plan.ts';

const phaseOf = (rate: ArrivalPhase['rate']): ArrivalPhase => ({
  name: 'load',
  measured: true,
  durationSeconds: 10,
  rate,
  spacing: 'poisson',
  traffic: [{ chain: 'ingest', weight: 1 }],
});
const own = { kind: 'per-device-group', connections: 1000 } as const;

test('what a scenario leaves open follows from its devices and the peak of its plan', () => {
  const spike = phaseOf({ kind: 'spike', basePerSecond: 10, peakPerSecond: 6000, fromSeconds: 1, untilSeconds: 2 });
  expect(connectionOf({ connection: own, devices: 10_000 }, [phaseOf({ kind: 'constant', ratePerSecond: 5 }), spike])).toEqual({
    ...own,
    openMax: 40_000,
    opening: { perSecond: 100, atOnce: 1500 },
  });
  const quiet = connectionOf({ connection: own, devices: 10 }, [phaseOf({ kind: 'constant', ratePerSecond: 5 })]);
  expect(quiet).toEqual({ ...own, openMax: 1000, opening: { perSecond: 50, atOnce: 256 } });
});

test('what it states is kept, and a connection for every request has neither bound nor pace of a fleet', () => {
  const stated = { ...own, openMax: 1200, opensPerSecond: 20 };
  expect(connectionOf({ connection: stated, devices: 5 }, [])).toEqual({ ...own, openMax: 1200, opening: { perSecond: 20, atOnce: 20 } });
  const each = { kind: 'per-request', openMax: 50 } as const;
  expect(connectionOf({ connection: each, devices: 5 }, [])).toEqual(each);
});
