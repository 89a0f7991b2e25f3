/**
 * What the service asks of a store. Shaped for two engines: one LMDB environment shared by the processes of a machine, and
 * Redis Streams and hashes over many nodes. So every command is asynchronous, declarative and touches one partition: what one
 * Lua script over one hash slot can do, and one LMDB transaction. No transaction(callback), no node-local id.
 *
 * A promise that resolves means: durable at `ackLevel`. A store that cannot keep that promise rejects with StoreUnavailable and
 * must not have told anybody otherwise. Commands issued together may share one flush; each stays atomic by itself.
 */

import type { ArchiveStore } from './archived.ts';
import type { ChangeStore } from './changes.ts';
import type { OutwardStore } from './outward.ts';
import type { DeviceRef, PresenceStore } from './presence.ts';
import type { QuotaRow, QuotaStore } from './quota.ts';
import type { UsageStore } from './usage.ts';

export * from './archived.ts';
export * from './changes.ts';
export { clockSkewMsMax } from './clock-skew.ts';
export * from './outward.ts';
export * from './outward-event.ts';
export { allPartitions, partitionCount, partitionOf } from './partition.ts';
export * from './presence.ts';
export { privateFileMode, privateFolderMode } from './private-folder.ts';
export * from './quota.ts';
export * from './usage.ts';

/** Where a record stands in its partition: opaque, compares by bytes in order of acceptance, at most 32 characters. */
export type Position = string;
export const positionStart: Position = '';

/** One position for each partition; a partition that is missing has not been read yet. */
export type LogCursor = Readonly<Record<number, Position>>;

export type AckLevel = 'memory' | 'fsync';

export type AppendEvent = {
  readonly id: string;
  /** The event's JSON as UTF-8, as accepted; the store never looks inside. At most 16 KiB. */
  readonly bytes: Uint8Array;
};

/** The append unit: dedupe by (account, device, id) + record + counters + idempotency record, atomic. */
export type AppendCommand = {
  readonly account: string;
  readonly device: string;
  readonly receivedAtMs: number;
  /** At most 500. May repeat an id: the first wins. May be empty, so that rejected events are counted. */
  readonly events: readonly AppendEvent[];
  /** Events refused before the store, for the counters: received = accepted + duplicate + rejected. */
  readonly rejectedCount: number;
  /** `digest` names the request's body; `note` comes back with a replay, so that the same answer can be given to the byte. */
  readonly idempotency?: { readonly key: string; readonly digest: string; readonly note: string };
};

export type AppendReceipt = {
  readonly accepted: number;
  readonly duplicate: number;
  /** Of the last event accepted, or of the log's end where none was. */
  readonly position: Position;
};

export type AppendResult =
  | ({ readonly kind: 'appended' } & AppendReceipt)
  | ({ readonly kind: 'replayed'; readonly note: string } & AppendReceipt)
  | { readonly kind: 'idempotency-mismatch' };

export type LogEvent = {
  readonly partition: number;
  readonly position: Position;
  readonly account: string;
  readonly device: string;
  readonly id: string;
  readonly receivedAtMs: number;
  readonly bytes: Uint8Array;
};

/** `kept` and `filtered:<reason>` once the pipeline stepped over the event, `pending` before. */
export type Disposition = 'pending' | 'kept' | `filtered:${string}`;

export type LogPage = {
  /** In order of acceptance within each partition; partitions may be interleaved. */
  readonly events: readonly (LogEvent & { readonly disposition: Disposition })[];
  readonly cursor: LogCursor;
  readonly atEnd: boolean;
};

export type LeaseResult =
  | { readonly kind: 'held'; readonly fence: number; readonly checkpoint: Position }
  | { readonly kind: 'taken'; readonly owner: string; readonly untilMs: number };

export type LatestLocation = {
  readonly recordedAtMs: number;
  readonly id: string;
  readonly position: Position;
  readonly bytes: Uint8Array;
};

/** What one device gains by a step. `latest` replaces what is there only if (recordedAtMs, id) is greater. */
export type DeviceStep = {
  readonly account: string;
  readonly device: string;
  readonly kept: readonly Position[];
  readonly filtered: readonly { readonly position: Position; readonly reason: string }[];
  readonly latest?: LatestLocation;
  /** Of its last event here. */
  readonly seenAtMs?: number;
  /** What the pipeline knows of the device behind this step, for the next one; the store never looks inside. At most 16 KiB. */
  readonly state?: Uint8Array;
};

/** The step unit: checkpoint + latest + history index + counters of one partition, committed together. */
export type StepCommand = {
  readonly partition: number;
  /** From the lease; a step under an older fence than the store's is refused. */
  readonly fence: number;
  readonly from: Position;
  readonly to: Position;
  readonly devices: readonly DeviceStep[];
  /** Without it no presence is kept. */
  readonly presenceTimeoutMs?: number;
};

/** `news`: devices whose latest location moved, or that came online. */
export type StepResult =
  | { readonly kind: 'stepped'; readonly news?: readonly DeviceRef[] }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'moved'; readonly checkpoint: Position };

/** How far a device's clock is behind the service's. */
export type ClockOffset = { readonly offsetMs: number; readonly sinceMs: number };

export type DeviceRow = {
  readonly version: number;
  readonly secretDigest: string;
  readonly user?: string;
  readonly generation: number;
  readonly deleted: boolean;
  readonly registeredAtMs: number;
  readonly changedAtMs: number;
  /** Of its registrations that change something: in the row that they change, so that it costs no write of its own. Full without it. */
  readonly quota?: QuotaRow;
  /** The registration's attributes as given: name, platform, app_version, push_token, … */
  readonly attributes: Readonly<Record<string, unknown>>;
};

export type AccountRow = {
  readonly account: string;
  readonly name: string;
  readonly secretDigest: string;
  readonly publishableKeyDigest: string;
  readonly createdAtMs: number;
  readonly quotas: Readonly<Record<string, number>>;
};

export type Counters = {
  readonly accepted: number;
  readonly duplicate: number;
  readonly rejected: number;
  readonly kept: number;
  readonly filtered: Readonly<Record<string, number>>;
};

export type HistoryQuery = {
  readonly account: string;
  readonly device: string;
  /** Exclusive. */
  readonly after: Position;
  readonly limit: number;
  /** `all` adds filtered and pending events: then what was acknowledged a moment ago is there already. */
  readonly include: 'kept' | 'all';
  /** Bounds on received time, inclusive from, exclusive to. */
  readonly fromMs?: number;
  readonly toMs?: number;
};

export type HistoryPage = {
  readonly events: readonly (LogEvent & { readonly disposition: Disposition })[];
  readonly atEnd: boolean;
  /** What stood before it may have been pruned. Missing where nothing was. */
  readonly floor?: Position;
};

export type Backup = { readonly bytes: number; readonly epoch: string };

export type Store = ChangeStore &
  ArchiveStore &
  OutwardStore &
  PresenceStore &
  QuotaStore &
  UsageStore & {
    /** A copy of all data as it is at one moment, into an empty folder of this machine. Missing where the engine has its own ways. */
    readonly backup?: (folder: string) => Promise<Backup>;
    readonly ackLevel: AckLevel;
    /** The store's time, for what lasts: leases, due times, windows. Missing where the engine has none: then it is the wall clock. */
    readonly storeMs?: () => number;
    readonly append: (command: AppendCommand) => Promise<AppendResult>;
    /** Reads what is committed: an event may be seen a moment before its flush, never acknowledged. `account` keeps one account's events; the cursor moves past the others too. */
    readonly readLog: (query: {
      readonly partitions: readonly number[];
      readonly after: LogCursor;
      readonly limitEvents: number;
      readonly account?: string;
    }) => Promise<LogPage>;
    /** Takes or renews the partition's lease. The fence grows whenever the owner changes. */
    readonly lease: (command: { readonly partition: number; readonly owner: string; readonly nowMs: number; readonly ttlMs: number }) => Promise<LeaseResult>;
    readonly release: (command: { readonly partition: number; readonly owner: string; readonly fence: number }) => Promise<void>;
    readonly step: (command: StepCommand) => Promise<StepResult>;
    /** As the last step of each device left it. The devices are of one partition. */
    readonly readStates: (devices: readonly DeviceRef[]) => Promise<readonly (Uint8Array | undefined)[]>;
    /** Stores the offset where it differs from what is known (at first 0) by more than the tolerance. True: it did; so each change is noticed once. */
    readonly noteClock: (command: DeviceRef & { readonly offsetMs: number; readonly toleranceMs: number; readonly nowMs: number }) => Promise<boolean>;
    readonly readClock: (query: DeviceRef) => Promise<ClockOffset | undefined>;
    readonly readLatest: (query: { readonly account: string; readonly device: string }) => Promise<LatestLocation | undefined>;
    readonly readHistory: (query: HistoryQuery) => Promise<HistoryPage>;
    readonly readDevice: (query: { readonly account: string; readonly device: string }) => Promise<DeviceRow | undefined>;
    /** Compare and set: stores `row` only where the row's version is `expected` (undefined: no row yet). */
    readonly putDevice: (command: {
      readonly account: string;
      readonly device: string;
      readonly expected: number | undefined;
      readonly row: DeviceRow;
    }) => Promise<{ readonly kind: 'stored' } | { readonly kind: 'conflict'; readonly row: DeviceRow | undefined }>;
    readonly readAccount: (account: string) => Promise<AccountRow | undefined>;
    readonly putAccount: (row: AccountRow) => Promise<{ readonly kind: 'stored' } | { readonly kind: 'conflict' }>;
    /** Keeps the first candidate ever offered under `name` and gives that one to everybody: the signing key lives here. */
    readonly settle: (command: { readonly name: string; readonly candidate: string }) => Promise<string>;
    /** Summed over partitions; of every account where none is named. */
    readonly readCounters: (account?: string) => Promise<Counters>;
    /** How much the pipeline has still to do, and since when. */
    readonly readBacklog: () => Promise<{ readonly pending: number; readonly oldestReceivedAtMs: number | undefined }>;
    /** Why nothing can be written now; undefined where it can. Missing where the engine cannot tell. */
    readonly readTrouble?: () => Promise<StoreTrouble | undefined>;
    readonly close: () => Promise<void>;
  };

export type StoreTrouble = 'full' | 'flush-failed' | 'flush-timeout' | 'corrupt' | 'unwritable' | 'closed';

/** The store cannot keep its promise now. Nothing of the command may be called acknowledged; it may be there all the same. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  readonly trouble: StoreTrouble;
  constructor(trouble: StoreTrouble, message: string, options?: ErrorOptions) {
    super(message, options);
    this.trouble = trouble;
  }
}
