/** Lanes, pressure and quotas of one worker, put together. */
import { performance } from 'node:perf_hooks';
import type { Clock } from '#system/clock.ts';
import type { QuotaStore } from '#system/store/store.ts';
import { createAppendRoom } from './append-room.ts';
import { createGate, type Gate, type GateOptions } from './gate.ts';
import { lanes } from './lanes.ts';
import { createMetering, type Metering, type MeteringOptions, type QuotaSettings } from './metering.ts';
import { createPlaces } from './places.ts';
import { createPressure, type Pressure, tickMs } from './pressure.ts';
import { budgetShare, createSignals, type SignalLimits, sampleMs } from './signals.ts';
import { createTurns, type Turns } from './turns.ts';

export type AdmissionSettings = SignalLimits &
  QuotaSettings & {
    /** Requests in work at a worker. */
    readonly placesMax: number;
    readonly deviceRegistrationsPerMinute: number;
    readonly deviceRegistrationBurst: number;
  };

export const admissionDefaults: AdmissionSettings = {
  placesMax: 4000,
  shedDelayMs: 80,
  shedLogAgeMs: 500,
  pendingBytesMax: 256 * 2 ** 20,
  ingestBudgetMs: 250,
  accountPerSecond: { ingest: 50_000, stream: 10_000, token: 20_000, sync: 20_000, read: 20_000, registration: 20_000, export: 200 },
  deviceIngestPerSecond: 2000,
  deviceRegistrationsPerMinute: 1,
  deviceRegistrationBurst: 3,
};

/** For twins. */
export type AdmissionOverrides = {
  readonly letIn?: Pressure['letIn'];
  readonly takeShare?: Pressure['takeShare'];
  readonly add?: Turns['add'];
  readonly holdMs?: number;
};

export type AdmissionOptions = Pick<GateOptions, 'routeOf' | 'refuse' | 'onRefused'> &
  QuotaStore & {
    readonly clock: Clock;
    readonly settings: AdmissionSettings;
    readonly quota: MeteringOptions['quota'];
    readonly overrides?: AdmissionOverrides;
  };

export type Admission = Metering &
  Pick<Turns, 'add' | 'connectionCame'> &
  Gate & {
    /** Until what it returns is called, an append of so many events is in work. */
    readonly appendBegan: (events: number) => () => void;
    /** Seconds after which to come back, jittered: those refused together do not come back together. */
    readonly retryAfterSeconds: (waitMs: number) => number;
  };

export function createAdmission({ leaseQuota, clock, settings, quota, routeOf, refuse, onRefused, overrides = {} }: AdmissionOptions): Admission {
  const signals = createSignals(settings, clock.monotonicMs);
  const pressure = createPressure();
  const sampling = setInterval(signals.sample, sampleMs).unref();
  const timer = setInterval(() => pressure.tick(signals.read(gate.pendingBytes())), tickMs).unref();
  const room = createAppendRoom({ monotonicMs: clock.monotonicMs, idleMs: loopIdleMs });
  const ownTurns = createTurns({
    monotonicMs: clock.monotonicMs,
    busyMs: loopBusyMs,
    soon: setImmediate,
    hasRoom: ({ name }) => name !== 'ingest' || room.isFree(),
  });
  const turns = { ...ownTurns, add: overrides.add ?? ownTurns.add };
  const gate = createGate({
    turns,
    places: createPlaces(settings.placesMax),
    pressure: { ...pressure, ...overrides },
    routeOf,
    refuse,
    onRefused,
    random: Math.random,
    holdMs: overrides.holdMs ?? holdMsDefault,
  });
  return {
    ...createMetering({ source: { leaseQuota, ...clock }, settings, quota }),
    ...gate,
    appendBegan: (events) => {
      const ends = [signals.appendBegan(), room.began(events)];
      return () => {
        for (const end of ends) end();
        ownTurns.wake();
      };
    },
    add: turns.add,
    connectionCame: turns.connectionCame,
    retryAfterSeconds: (waitMs) => retryAfterSeconds(waitMs, Math.random),
    close: () => {
      clearInterval(timer);
      clearInterval(sampling);
      turns.close();
      gate.close();
    },
  };
}

const loopBusyMs = (): number => performance.eventLoopUtilization().active;
const loopIdleMs = (): number => performance.eventLoopUtilization().idle;

const holdMsDefault = 250;
const jitterSecondsMin = 5;
/** At least the wait, at most half of it or five seconds more, evenly. */
export function retryAfterSeconds(waitMs: number, random: () => number): number {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return seconds + Math.floor(random() * Math.max(jitterSecondsMin, seconds / 2));
}

/** As /v1/limits tells it. */
export const publishedAdmission = (settings: AdmissionSettings) => ({
  lanes: lanes.map(({ name, sharePercent, ceilingPercent, waitsMs }) => ({
    lane: name,
    share_percent: sharePercent,
    ceiling_percent: ceilingPercent,
    waits_ms: waitsMs,
  })),
  requests_in_work_max: settings.placesMax,
  ingest_budget_ms: settings.ingestBudgetMs,
  lower_lanes_yield_ms: settings.ingestBudgetMs * budgetShare,
  account_requests_per_second: settings.accountPerSecond,
  device_ingest_requests_per_second: settings.deviceIngestPerSecond,
  device_registrations_per_minute: settings.deviceRegistrationsPerMinute,
  device_registration_burst: settings.deviceRegistrationBurst,
});
