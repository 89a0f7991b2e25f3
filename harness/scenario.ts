/**
 * A scenario is data: what is driven, how, and what has to hold. This file is its schema, its type and `defineScenario`, and
 * does no I/O. Names carry their unit; a number without one is a count.
 */
import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;
const count = (maximum: number) => Type.Integer({ minimum: 1, maximum });
const ratePerSecond = Type.Number({ minimum: 0, maximum: 1_000_000 });
const share = Type.Number({ minimum: 0, maximum: 1 });
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

const readerName = Type.String({ pattern: '^[a-z][a-z0-9-]*$', maxLength: 40 });

/** From the phase's start on, readers are opened or closed at so many a second until `target` are held. */
export const Population = Type.Object(
  { reader: readerName, target: Type.Integer({ minimum: 0, maximum: 1_000_000 }), perSecond: Type.Number({ exclusiveMinimum: 0, maximum: 100_000 }) },
  closed,
);
export type Population = Static<typeof Population>;

export const Phase = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9-]*$', maxLength: 40 }),
    /** Unmeasured phases are driven and recorded, and no threshold sees them unless its selector names them. */
    measured: Type.Boolean(),
    durationSeconds: seconds(),
    /** Ends the phase early, once p50, p99 and CPU a request have settled. Only for unmeasured phases. */
    untilSettled: Type.Optional(Type.Boolean()),
    /** What this phase is about is how the one before it ends: that it begins in that one's backlog makes nothing invalid. */
    beginsInBacklog: Type.Optional(Type.Boolean()),
    rate: RateCurve,
    spacing: Type.Optional(Type.Union([Type.Literal('poisson'), Type.Literal('uniform')])),
    traffic: Type.Optional(Type.Array(TrafficShare, { minItems: 1, maxItems: 20 })),
    /** Of readers that are not named the number stays what it was. */
    population: Type.Optional(Type.Array(Population, { minItems: 1, maxItems: 20 })),
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
      Type.Object(
        {
          kind: Type.Literal('per-device-group'),
          connections: count(15_000),
          /** Connections that the fleet has at most: who finds all of them busy waits. Four for each device where nothing is said. */
          openMax: Type.Optional(count(15_000)),
          /** How many more than `connections` it opens in a second. Where nothing is said, the plan's peak decides. */
          opensPerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100_000 })),
        },
        closed,
      ),
      Type.Object({ kind: Type.Literal('per-request'), openMax: count(15_000) }, closed),
    ]),
    /** Events in one ingest request. */
    eventsPerBatch: Type.Optional(count(500)),
    /** Shares of the devices that walk and that stand still; the others drive, and without it all do. */
    motion: Type.Optional(Type.Object({ walking: share, still: share }, closed)),
    /** A share of the devices has a clock that is ahead by so much, or behind where it is below 0, and says when it sends. */
    clock: Type.Optional(Type.Object({ wrong: share, aheadMs: Type.Integer({ minimum: -86_400_000, maximum: 86_400_000 }) }, closed)),
    /** So many devices of one account more, as which `flood` sends. */
    loud: Type.Optional(Type.Object({ devices: count(10_000) }, closed)),
    /** After how long an unanswered request is given up; 10 s where nothing is said. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 120_000 })),
    /** A good answer later than this counts as failed. */
    goodWithinMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 120_000 })),
    /**
     * What a device does that was shed, cut or not answered: `honour` waits as `Retry-After` asks, `ignore` comes back after `afterMs` whatever it was told. Without it an
     * arrival has one try.
     */
    retry: Type.Optional(
      Type.Object(
        {
          kind: Type.Union([Type.Literal('honour'), Type.Literal('ignore')]),
          triesMax: count(1000),
          afterMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 600_000 })),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type Fleet = Static<typeof Fleet>;

const timeoutMsDefault = 10_000;
/** After how long an unanswered request of a fleet is given up, said or not. */
export const timeoutMsOf = ({ timeoutMs = timeoutMsDefault }: Pick<Fleet, 'timeoutMs'>): number => timeoutMs;

/** Those of one kind who listen for changes of their user's items. */
export const Reader = Type.Object(
  {
    name: readerName,
    /** `sync:trips` and `inbox` where nothing is said. */
    channels: Type.Optional(Type.Array(Type.String({ pattern: '^(sync:[A-Za-z0-9._-]{1,64}|inbox)$' }), { minItems: 1, maxItems: 32 })),
    /** A stream that is held (in lines of JSON, as server-sent events, or as a GraphQL subscription), asked to beat after `heartbeatMs` of silence; or a request every so often. */
    way: Type.Optional(
      Type.Union([
        Type.Object(
          {
            kind: Type.Literal('stream'),
            heartbeatMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 3_600_000 })),
            as: Type.Optional(Type.Union([Type.Literal('ndjson'), Type.Literal('sse'), Type.Literal('graphql')])),
          },
          closed,
        ),
        Type.Object({ kind: Type.Literal('poll'), everySeconds: Type.Number({ minimum: 0.1, maximum: 3600 }) }, closed),
      ]),
    ),
    /** How it reads what comes. Who stopped reads again once the load is over, so that the ledger can ask it. */
    pace: Type.Optional(
      Type.Union([
        Type.Object({ kind: Type.Literal('normal') }, closed),
        Type.Object({ kind: Type.Literal('slow'), bytesPerSecond: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }) }, closed),
        Type.Object({ kind: Type.Literal('stopped') }, closed),
      ]),
    ),
    /** Of the reference client: rand(0, min(cap, base · 2^n)); without jitter everybody waits for all of it. */
    reconnect: Type.Optional(
      Type.Object(
        {
          jitter: Type.Union([Type.Literal('full'), Type.Literal('none')]),
          baseMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 })),
          capMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 })),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type Reader = Static<typeof Reader>;

export const Streams = Type.Object(
  {
    /** Device i belongs to user i mod users, and so does the i-th reader of each kind. */
    users: count(1_000_000),
    /** Whose token opens a stream: the device's own, which keeps it online, or its user's. */
    credential: Type.Optional(Type.Union([Type.Literal('device'), Type.Literal('user')])),
    /** Generator processes that hold them: one has descriptors for fewer than 20,000. */
    processes: Type.Optional(count(16)),
    /** An account's own stream of `devices` notices when a device that was closed turns offline. */
    watchPresence: Type.Optional(Type.Boolean()),
    /** What `put-item` writes: so many keys a user, each of about so many bytes. */
    items: Type.Optional(
      Type.Object({ keysPerUser: Type.Optional(count(1000)), bytes: Type.Optional(Type.Integer({ minimum: 60, maximum: 60_000 })) }, closed),
    ),
    readers: Type.Array(Reader, { minItems: 1, maxItems: 20 }),
  },
  closed,
);
export type Streams = Static<typeof Streams>;

/** What a receiver of webhooks does with an event. Handshakes are answered whatever it is: a receiver that is to be told has to be confirmed. */
export const WebhookReaction = Type.Union([
  /** 200 at once. */
  Type.Object({ kind: Type.Literal('ok') }, closed),
  /** 200 after so long. */
  Type.Object({ kind: Type.Literal('slow'), ms: Type.Integer({ minimum: 1, maximum: 600_000 }) }, closed),
  /** Never answers. */
  Type.Object({ kind: Type.Literal('hang') }, closed),
  /** Resets the connection. */
  Type.Object({ kind: Type.Literal('cut') }, closed),
  /** 410 ends what is told to the endpoint. */
  Type.Object(
    {
      kind: Type.Literal('status'),
      status: Type.Integer({ minimum: 300, maximum: 599 }),
      retryAfterSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
    },
    closed,
  ),
  /** 503 until so long after the first phase began, 200 from then on. */
  Type.Object({ kind: Type.Literal('recovers'), afterSeconds: seconds() }, closed),
]);
export type WebhookReaction = Static<typeof WebhookReaction>;

/** Endpoints of one kind: somebody's server that the service tells of what happens. */
export const WebhookReceiver = Type.Object(
  {
    name: readerName,
    endpointsPerAccount: Type.Optional(count(20)),
    /** `device.registered` where nothing is said: of those the ledger knows what has to arrive. */
    events: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 20 })),
    reaction: Type.Optional(WebhookReaction),
  },
  closed,
);
export type WebhookReceiver = Static<typeof WebhookReceiver>;

const proxyHeader = Type.Union([Type.Literal('off'), Type.Literal('v1'), Type.Literal('v2')]);
/** What stands before the service. The model's presets and figures: harness/balancer. HAProxy is the real one. */
export const BalancerChoice = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('model'),
      preset: Type.Union([Type.Literal('classic-elb'), Type.Literal('classic-elb-http'), Type.Literal('alb'), Type.Literal('nlb')]),
      idleTimeoutMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 4_000_000 })),
      proxyHeader: Type.Optional(proxyHeader),
      connectionsMax: Type.Optional(count(1_000_000)),
      /** Capacity units that it begins with, cold: more only as it is used. Without it any load is taken. */
      initialUnits: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 })),
      above: Type.Optional(Type.Union([Type.Literal('refuse'), Type.Literal('delay')])),
    },
    closed,
  ),
  Type.Object(
    {
      kind: Type.Literal('haproxy'),
      listener: Type.Optional(Type.Union([Type.Literal('tcp'), Type.Literal('http')])),
      idleTimeoutMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 4_000_000 })),
      proxyHeader: Type.Optional(proxyHeader),
    },
    closed,
  ),
]);
export type BalancerChoice = Static<typeof BalancerChoice>;

/** The service as this run starts it. A target that is there already is what it is. */
export const System = Type.Object(
  {
    /** Of each node. */
    workers: Type.Optional(count(64)),
    /** Services over one data folder; behind a balancer, or readers spread over them by themselves. */
    nodes: Type.Optional(count(16)),
    /** Loopback addresses that each node listens on: one has room for 28,000 connections of one client address. */
    addresses: Type.Optional(count(16)),
    /** The service's settings by flag, as `npm run system -- --help` lists them: `drain-window-ms`. */
    settings: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
    balancer: Type.Optional(BalancerChoice),
  },
  closed,
);
export type System = Static<typeof System>;

/** Milliseconds from the end of one step to the beginning of the next. */
const thinkMs = Type.Integer({ minimum: 1, maximum: 600_000 });
/** How long whoever is behind an arrival thinks before a step. What is drawn follows from the run's seed; of `exponential` no draw is above ten times its mean. */
export const ThinkTime = Type.Union([
  Type.Object({ kind: Type.Literal('fixed'), ms: thinkMs }, closed),
  Type.Object({ kind: Type.Literal('uniform'), fromMs: thinkMs, untilMs: thinkMs }, closed),
  Type.Object({ kind: Type.Literal('exponential'), meanMs: thinkMs }, closed),
]);
export type ThinkTime = Static<typeof ThinkTime>;

/** An operation's name; or with the time that is thought before it, which a chain's first has not: that one is due when the plan says. */
export const ChainStep = Type.Union([Type.String(), Type.Object({ operation: Type.String(), thinkTime: ThinkTime }, closed)]);
export type ChainStep = Static<typeof ChainStep>;

const faultAt = { phase: Type.String(), atSeconds: Type.Number({ minimum: 0, maximum: 86_400 }) };
/** What is done to the service at an instant of a phase. */
export const Fault = Type.Union([
  /** The balancer ends every connection at once. */
  Type.Object({ kind: Type.Literal('drop-connections'), how: Type.Union([Type.Literal('fin'), Type.Literal('rst')]), ...faultAt }, closed),
  /** SIGKILL to a worker of the first node; its supervisor starts another. */
  Type.Object({ kind: Type.Literal('kill-worker'), ...faultAt }, closed),
  /** SIGKILL to a whole node, which is started again on its port. */
  Type.Object({ kind: Type.Literal('kill-node'), node: Type.Optional(Type.Integer({ minimum: 0, maximum: 15 })), ...faultAt }, closed),
  /** Every worker is drained and replaced, one after another. */
  Type.Object({ kind: Type.Literal('restart-workers'), ...faultAt }, closed),
]);
export type Fault = Static<typeof Fault>;

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
    /** All durations are the scenario's; 25: they pass 25 times as fast. Rates a second are not touched. */
    clock: Type.Optional(Type.Object({ scale: Type.Number({ minimum: 1, maximum: 1000 }) }, closed)),
    system: Type.Optional(System),
    generator: Type.Optional(Type.Object({ workers: Type.Optional(count(16)) }, closed)),
    /** Named chains of operations; `ingest` alone is there without saying. */
    chains: Type.Optional(Type.Record(Type.String(), Type.Array(ChainStep, { minItems: 1, maxItems: 10 }))),
    streams: Type.Optional(Streams),
    webhooks: Type.Optional(Type.Array(WebhookReceiver, { minItems: 1, maxItems: 20 })),
    faults: Type.Optional(Type.Array(Fault, { maxItems: 100 })),
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

/** Which chains a phase's arrivals start: each one's `weight` of all. */
export const trafficOf = ({ traffic = [{ chain: 'ingest', weight: 1 }] }: Pick<Phase, 'traffic'>): NonNullable<Phase['traffic']> => traffic;

type Named = Scenario['chains'];
const operationOf = (step: ChainStep): string => (typeof step === 'string' ? step : step.operation);

/** The chains that traffic may name, as operations in order; `ingest` alone is there without saying. */
export const chainsOf = (named: Named = {}): Readonly<Record<string, readonly string[]>> => ({
  ingest: ['ingest'],
  ...Object.fromEntries(Object.entries(named).map(([name, steps]) => [name, steps.map(operationOf)])),
});

/** By chain and place of the step before which is thought; undefined where nobody thinks. */
export type ThinkTimes = Readonly<Record<string, Readonly<Record<number, ThinkTime>>>>;

export function thinkTimesOf(named: Named = {}): ThinkTimes | undefined {
  const thought = Object.entries(named).flatMap(([name, steps]) => {
    const times = steps.flatMap((step, index) => (typeof step === 'string' ? [] : [[index, step.thinkTime] as const]));
    return times.length === 0 ? [] : [[name, Object.fromEntries(times)] as const];
  });
  return thought.length === 0 ? undefined : Object.fromEntries(thought);
}
