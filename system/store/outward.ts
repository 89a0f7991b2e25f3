/**
 * What leaves the service for others' servers: an account's endpoints, the events told to them, and how far each delivery is. All of an
 * account's lies on one partition. What happens on a device's partition is a *happening*, an outbox record there until it was told to its account.
 */

export type EndpointState =
  /** Nothing but its handshake is sent. */
  { readonly kind: 'pending' } | { readonly kind: 'active'; readonly sinceMs: number } | { readonly kind: 'disabled'; readonly reason: 'by-account' | 'gone' };

export type EndpointSecret = { readonly secret: string /** Undefined: until it is rotated. */; readonly untilMs?: number };

export type Endpoint = {
  readonly version: number;
  readonly account: string;
  readonly id: string;
  readonly url: string;
  readonly types: readonly string[];
  readonly description?: string;
  readonly state: EndpointState;
  /** The newest first. */
  readonly secrets: readonly EndpointSecret[];
  readonly createdAtMs: number;
  /** Of the last handshake. */
  readonly handshake: { readonly challenge: string; readonly tokenDigest: string; readonly expiresAtMs: number; readonly used: boolean };
};

export type EndpointKey = { readonly account: string; readonly endpoint: string };
/** Of one endpoint: the handshake is not held up by what waits for its end. */
export type Lane = 'events' | 'handshake';
export type DeliveryKey = EndpointKey & { readonly lane: Lane /** The event's, in its account's order. */; readonly number: number };

/** `id` is the event's for ever; `body` is sent to the byte. */
export type OutwardEvent = { readonly id: string; readonly type: string; readonly atMs: number; readonly body: string };
/** Before it was told to its account; `source` names the record. */
export type Happening = OutwardEvent & { readonly account: string; readonly source: string };

export type OutwardBounds = {
  /** Deliveries that wait, of an endpoint; beyond it an event is left out for this endpoint, counted, and can be replayed. */
  readonly queueMax: number;
  /** Events kept of an account, with their deliveries; beyond it the oldest go. */
  readonly eventsMax: number;
  readonly retentionMs: number;
};

export type Enqueued =
  | { readonly kind: 'queued'; readonly endpoints: number /** Endpoints whose queue was full. */; readonly dropped: number }
  /** The id was told before. */
  | { readonly kind: 'repeat' }
  /** No endpoint of the account wants this type. */
  | { readonly kind: 'nobody' }
  | { readonly kind: 'too-large' };

export type Attempt = {
  readonly atMs: number;
  readonly tookMs: number;
  readonly status?: number;
  /** Where no answer came. */
  readonly error?: string;
};

export type DeliveryState = 'waiting' | 'sending' | 'delivered' | 'dead';
export type Delivery = {
  readonly number: number;
  readonly eventId: string;
  readonly type: string;
  readonly state: DeliveryState;
  readonly createdAtMs: number;
  /** The youngest; `attemptsMade` counts them all. */
  readonly attempts: readonly Attempt[];
  readonly attemptsMade: number;
  /** When it is tried next, or given to somebody else where the one who has it is silent. */
  readonly dueAtMs: number;
};

/** What one worker has to send; nobody else is given it for the lease's time. */
export type ClaimedAttempt = DeliveryKey & {
  readonly lease: number;
  readonly row: Endpoint;
  readonly event: OutwardEvent;
  /** Of the present round: a replay begins again with 0. */
  readonly attempt: number;
  /** Its endpoint failed or was slow the last time. */
  readonly isSuspect: boolean;
};

export type AttemptOutcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly atMs: number /** Nothing is sent to the endpoint before. */; readonly pauseUntilMs?: number }
  | { readonly kind: 'dead' }
  /** It said 410: dead, and the endpoint disabled. */
  | { readonly kind: 'gone' };

export type BreakerBounds = { readonly failuresMax: number; readonly openMs: number };

export type Settled = { readonly kind: 'stale' } | { readonly kind: 'settled'; readonly breakerOpened: boolean };

export type EndpointHealth = {
  readonly waiting: number;
  readonly dropped: number;
  readonly failuresInARow: number;
  /** Open until then; in the past: closed, or about to be tried. */
  readonly breakerUntilMs: number;
};

export type OutwardCommands = {
  /** Compare and set on the row's version; `expected` undefined: a new one. */
  readonly putEndpoint: (command: {
    readonly expected: number | undefined;
    readonly row: Endpoint;
    readonly nowMs: number;
  }) => Promise<{ readonly kind: 'stored' | 'conflict' | 'duplicate-url' | 'full' }>;
  readonly dropEndpoint: (command: EndpointKey) => Promise<{ readonly kind: 'dropped' | 'missing' }>;
  /** An event of the account, to all who want its type, or only to one. Told again under the same id it is told once. */
  readonly enqueueOutward: (command: {
    readonly account: string;
    readonly event: OutwardEvent;
    readonly only?: { readonly endpoint: string; readonly lane: Lane };
    /** Those of the settings' defaults without it. */
    readonly bounds?: OutwardBounds;
    /** Of the store: from when on it is due and kept. Default: when it happened. */
    readonly nowMs?: number;
  }) => Promise<Enqueued>;
  readonly dropHappenings: (command: { readonly partition: number; readonly sources: readonly string[] }) => Promise<void>;
  readonly claimAttempts: (command: {
    readonly partition: number;
    readonly nowMs: number;
    readonly leaseMs: number;
    readonly limit: number;
    /** Of them for endpoints that failed or were slow the last time. */
    readonly suspectsMax: number;
    readonly perEndpointMax: number;
  }) => Promise<readonly ClaimedAttempt[]>;
  readonly settleAttempt: (
    command: DeliveryKey & {
      readonly lease: number;
      readonly nowMs: number;
      readonly attempt: Attempt;
      readonly outcome: AttemptOutcome;
      readonly breaker: BreakerBounds;
    },
  ) => Promise<Settled>;
  /** Events that its endpoint wants, told again: one by its id, or those of a time. `next`: where to go on. */
  readonly replayDeliveries: (
    command: EndpointKey & {
      readonly which: { readonly eventId: string } | { readonly fromMs: number; readonly toMs: number; readonly after: number; readonly limit: number };
      readonly nowMs: number;
      readonly bounds: OutwardBounds;
    },
  ) => Promise<{ readonly replayed: number; readonly dropped: number; readonly next: number | undefined }>;
};

export type OutwardReads = {
  readonly readEndpoint: (query: EndpointKey) => Promise<Endpoint | undefined>;
  readonly readEndpoints: (query: { readonly account: string }) => Promise<readonly Endpoint[]>;
  readonly readEndpointHealth: (query: EndpointKey) => Promise<EndpointHealth>;
  /** Oldest first in each partition: where one has very many, those of the others come all the same. */
  readonly readHappenings: (query: { readonly perPartitionMax: number }) => Promise<readonly (Happening & { readonly partition: number })[]>;
  /** Partitions with something that may be sent now. */
  readonly readOutwardDue: (query: { readonly nowMs: number }) => Promise<readonly number[]>;
  /** The youngest first, older than the event `before`. */
  readonly readDeliveries: (query: EndpointKey & { readonly before: number | undefined; readonly limit: number }) => Promise<readonly Delivery[]>;
};

export type OutwardStore = OutwardCommands & OutwardReads;

export const endpointsPerAccountMax = 20;
/** What Standard Webhooks recommends. */
export const outwardBodyBytesMax = 20_000;
