/**
 * A scenario is data: what is driven, how, and what has to hold. This file is its schema, its type and `defineScenario`, and
 * does no I/O. Names carry their unit; a number without one is a count.
 */
import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;
const count = (maximum: number) => Type.Integer({ minimum: 1, maximum });
const ratePerSecond = Type.Number({ minimum: 0, maximum: 1_000_000 });
const seconds = (maximum = 86_400) => Type.Number({ exclusiveMinimum: 0, maximum });

/** Arrivals a second over the phase's own time. Every curve integrates in closed form, so a plan has an exact count. */
export const RateCurve = Type.Union([
  Type.Object({ kind: Type.Literal('constant'), ratePerSecond }, closed),
  Type.Object({ kind: Type.Literal('ramp'), fromPerSecond: ratePerSecond, toPerSecond: ratePerSecond }, closed),
  Type.Object(
    {
      kind: Type.Literal('step'),
      steps: Type.Array(Type.Object({ atSeconds: Type.Number({ minimum: 0 }), ratePerSecond }, closed), { minItems: 1, maxItems: 1000 }),
    },
    closed,
  ),
  /** `basePerSecond`, and `peakPerSecond` between the two instants. */
  Type.Object(
    {
      kind: Type.Literal('spike'),
      basePerSecond: ratePerSecond,
      peakPerSecond: ratePerSecond,
      fromSeconds: Type.Number({ minimum: 0 }),
      untilSeconds: Type.Number({ minimum: 0 }),
    },
    closed,
  ),
]);
export type RateCurve = Static<typeof RateCurve>;

/** Share of the phase's arrivals that start this chain; shares are relative weights. */
export const TrafficShare = Type.Object({ chain: Type.String(), weight: Type.Number({ exclusiveMinimum: 0 }) }, closed);

export const Phase = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9-]*$', maxLength: 40 }),
    /** Unmeasured phases are driven and recorded, and no threshold sees them unless its selector names them. */
    measured: Type.Boolean(),
    durationSeconds: seconds(),
    /** Ends the phase early, once p50, p99 and CPU a request have settled. Only for unmeasured phases. */
    untilSettled: Type.Optional(Type.Boolean()),
    rate: RateCurve,
    spacing: Type.Optional(Type.Union([Type.Literal('poisson'), Type.Literal('uniform')])),
    traffic: Type.Optional(Type.Array(TrafficShare, { minItems: 1, maxItems: 20 })),
  },
  closed,
);
export type Phase = Static<typeof Phase>;

export const Fleet = Type.Object(
  {
    accounts: count(1000),
    devices: count(1_000_000),
    /** Kept-alive connections, each shared by a group of devices; or a new connection for every request. */
    connection: Type.Union([
      Type.Object({ kind: Type.Literal('per-device-group'), connections: count(15_000) }, closed),
      Type.Object({ kind: Type.Literal('per-request'), openMax: count(15_000) }, closed),
    ]),
    /** Events in one ingest request. */
    eventsPerBatch: Type.Optional(count(500)),
    /** After how long an unanswered request is given up. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 120_000 })),
    /** A good answer later than this counts as failed. */
    goodWithinMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 120_000 })),
  },
  closed,
);
export type Fleet = Static<typeof Fleet>;

export const Threshold = Type.Object(
  {
    /** `response_ms{phase:spike,operation:ingest}` */
    metric: Type.String(),
    /** `p(99)<250`, `rate<0.001`, `count==0`, `value<=15`, optionally `… over 10s` */
    expression: Type.String(),
    /** Stops the run as soon as the threshold cannot hold any more. */
    abort: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type Threshold = Static<typeof Threshold>;

export const Scenario = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9-]*$', maxLength: 60 }),
    description: Type.String({ maxLength: 500 }),
    fleet: Fleet,
    system: Type.Optional(Type.Object({ workers: Type.Optional(count(64)) }, closed)),
    generator: Type.Optional(Type.Object({ workers: Type.Optional(count(16)) }, closed)),
    /** Named chains of operations; `ingest` alone is there without saying. */
    chains: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 10 }))),
    phases: Type.Array(Phase, { minItems: 1, maxItems: 100 }),
    thresholds: Type.Array(Threshold, { minItems: 1, maxItems: 200 }),
  },
  closed,
);
export type Scenario = Static<typeof Scenario>;

/** Gives the object back: its use is the type at the author's keyboard. Values are checked by `parseScenario` before a run. */
export function defineScenario(scenario: Scenario): Scenario {
  return scenario;
}
