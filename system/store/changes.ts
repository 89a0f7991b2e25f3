/**
 * The change log: what a principal's items went through, in one order. A principal is a user of an account, or the account itself for its
 * inbox; its log, its items and its outbox lie on one partition, so that each command is one transaction there.
 */

/** Where a change stands in its principal's log: 128 bits as 32 hex digits, compares by bytes. */
export type ChangePosition = string;
export const changesStart: ChangePosition = '0'.repeat(32);
/** Instead of a position: after all that is there. */
export const changesHead = 'head';

export type LogKey = { readonly account: string; readonly principal: string };
export const userPrincipal = (user: string): string => `user:${user}`;
export const accountPrincipal = 'account';

export type Versions = 'any' | readonly number[];
export type VersionCondition =
  | { readonly kind: 'any' }
  /** Only where the version is one of these, and none of those; undefined: whichever. What is not there has no version. */
  | { readonly kind: 'versions'; readonly among: Versions | undefined; readonly notAmong: Versions | undefined };
export type Condition =
  | VersionCondition
  /** What came through an outbox: applied once, and never after a later one. */
  | { readonly kind: 'later-source'; readonly source: string };

const isAmong = (versions: Versions, version: number | undefined): boolean => version !== undefined && (versions === 'any' || versions.includes(version));

/** Whether what has this version (undefined: what is not there) may be changed. */
export const meetsVersions = (condition: VersionCondition, version: number | undefined): boolean =>
  condition.kind === 'any' ||
  ((condition.among === undefined || isAmong(condition.among, version)) && (condition.notAmong === undefined || !isAmong(condition.notAmong, version)));

/** The change unit: version check + item + change + outbox records for whom the item is shared with. `bytes` undefined deletes. */
export type ChangeCommand = LogKey & {
  readonly channel: string;
  readonly key: string;
  readonly atMs: number;
  /** JSON without line breaks, as UTF-8. */
  readonly bytes: Uint8Array | undefined;
  readonly condition: Condition;
};

export type ChangeResult =
  | { readonly kind: 'changed'; readonly version: number; readonly position: ChangePosition; readonly epoch: string; readonly created: boolean }
  /** `version` of the item as it is; undefined where there is none. */
  | { readonly kind: 'mismatch'; readonly version: number | undefined }
  | { readonly kind: 'missing' }
  /** The principal has as many items or channels as it may have. */
  | { readonly kind: 'full' };

export type Change = {
  readonly position: ChangePosition;
  readonly channel: string;
  readonly key: string;
  readonly version: number;
  readonly atMs: number;
  /** Undefined: deleted. */
  readonly bytes: Uint8Array | undefined;
};

/** Sum modulo 2^64 of the first 8 bytes of SHA-256(key, NUL, version) over a channel's live items, as 16 hex digits. */
export type RollingHash = string;

export type FoundChanges = {
  readonly kind: 'changes';
  readonly epoch: string;
  readonly changes: readonly Change[];
  /** Up to where this page went; the next one begins after it. */
  readonly position: ChangePosition;
  readonly atEnd: boolean;
  /** By channel, at `position`; only where `atEnd`. */
  readonly hashes: Readonly<Record<string, RollingHash>>;
};

export type ChangesPage =
  | FoundChanges
  /** `after` lies before what is retained, or behind the head. */
  | { readonly kind: 'expired' | 'future'; readonly epoch: string; readonly head: ChangePosition };

export type ItemState = { readonly version: number; readonly atMs: number; readonly bytes: Uint8Array };
export type ItemRead = { readonly item: ItemState | undefined; readonly head: ChangePosition; readonly epoch: string };

export type SnapshotPage = {
  readonly epoch: string;
  readonly head: ChangePosition;
  /** Positions before it may have lost a deletion. */
  readonly floor: ChangePosition;
  readonly items: readonly (ItemState & { readonly key: string })[];
  /** What the next page comes after; undefined at the end. A page may be empty and not the last: what is deleted costs reading too. */
  readonly nextAfterKey: string | undefined;
};

export type Share = {
  readonly id: string;
  readonly channel: string;
  readonly key: string;
  /** The principal of the same account whose inbox gets it. */
  readonly to: string;
  readonly atMs: number;
};

/** What a share's recipient has still to be told; `source` orders the records of one partition and names this one for ever. */
export type OutboxRecord = {
  readonly partition: number;
  readonly source: string;
  readonly account: string;
  readonly from: string;
  readonly to: string;
  readonly share: string;
  readonly channel: string;
  readonly key: string;
  readonly atMs: number;
  /** Undefined: the item is gone, or the share was revoked. */
  readonly item: { readonly version: number; readonly bytes: Uint8Array } | undefined;
};

export type ChangeStore = {
  readonly change: (command: ChangeCommand) => Promise<ChangeResult>;
  /** After `after`, at most `limit` changes and about 256 KiB. */
  readonly readChanges: (query: LogKey & { readonly after: ChangePosition; readonly limit: number }) => Promise<ChangesPage>;
  /** Of many principals at once: what a position check costs. */
  readonly readHeads: (keys: readonly LogKey[]) => Promise<{ readonly epoch: string; readonly heads: readonly ChangePosition[] }>;
  readonly readItem: (query: LogKey & { readonly channel: string; readonly key: string }) => Promise<ItemRead>;
  /** Live items by key, after `afterKey`: at most `limit`, about 256 KiB, and what 4,096 rows hold. */
  readonly readSnapshot: (query: LogKey & { readonly channel: string; readonly afterKey: string; readonly limit: number }) => Promise<SnapshotPage>;
  /** Where the data went back in time every cursor given out before is void. Only where the epoch is still `expected`. */
  readonly renewEpoch: (command: { readonly expected: string }) => Promise<string>;
  readonly share: (
    command: LogKey & { readonly share: Share },
  ) => Promise<{ readonly kind: 'shared' | 'missing' | 'full' } | { readonly kind: 'exists'; readonly share: Share }>;
  readonly unshare: (command: LogKey & { readonly id: string; readonly atMs: number }) => Promise<{ readonly kind: 'unshared' | 'missing' }>;
  readonly readShares: (query: LogKey & { readonly afterId: string; readonly limit: number }) => Promise<readonly Share[]>;
  readonly readShare: (query: LogKey & { readonly id: string }) => Promise<Share | undefined>;
  /** Oldest first in each partition. */
  readonly readOutbox: (query: { readonly partitions: readonly number[]; readonly limit: number }) => Promise<readonly OutboxRecord[]>;
  readonly dropOutbox: (command: { readonly partition: number; readonly sources: readonly string[] }) => Promise<void>;
};

/** Of one principal; beyond it nothing new is taken. */
export const itemsPerPrincipalMax = 100_000;
export const channelsPerPrincipalMax = 256;
export const sharesPerItemMax = 100;
