/** Whether a device is there: it is from its first sign of life until none came for a timeout; and whose tokens ended of late. */
import { limits } from '#system/protocol/limits.ts';

export type DeviceRef = { readonly account: string; readonly device: string };
/** Of maps: neither part has a NUL. */
export const deviceKey = ({ account, device }: DeviceRef): string => `${account}\0${device}`;
export type Presence = {
  readonly online: boolean /** Of its last sign of life, as far as it was told. */;
  readonly seenAtMs: number /** Since when it is there, or when it was seen last before it went. */;
  readonly sinceMs: number;
};

/** The device was moved, rotated or deleted: of its tokens those of an older generation than this are good for nothing any more. */
export type TokenEnd = DeviceRef & { readonly generation: number };
export type EndedTokens = TokenEnd & { readonly atMs: number };
/** Its last such token has ended by then, whatever the clocks of those who gave it out. */
export const endedTokensKeptMs = 2 * limits.deviceTokenSeconds * 1000;

export type PresenceStore = {
  /** A sign of life that is no event. True: it was offline. */
  readonly touch: (command: DeviceRef & { readonly nowMs: number; readonly timeoutMs: number }) => Promise<boolean>;
  /** Of these partitions, those with a device whose time may be over. */
  readonly readDue: (query: { readonly partitions: readonly number[]; readonly nowMs: number }) => Promise<readonly number[]>;
  /** Turns devices offline that gave no sign of life for the timeout; at most `limit`. None under an older fence than the lease's. */
  readonly expire: (command: {
    readonly partition: number;
    readonly fence: number;
    readonly nowMs: number;
    readonly timeoutMs: number;
    readonly limit: number;
  }) => Promise<readonly DeviceRef[]>;
  readonly readPresence: (query: DeviceRef) => Promise<Presence | undefined>;
  /** Ids of an account's devices that are registered, in their order, after `after`. */
  readonly readDevices: (query: { readonly account: string; readonly after: string; readonly limit: number }) => Promise<readonly string[]>;
  /** Moved or deleted at `fromMs` or later by their rows, of all accounts, in order of time; known for `endedTokensKeptMs` after that. */
  readonly readEndedTokens: (query: { readonly fromMs: number; readonly limit: number }) => Promise<readonly EndedTokens[]>;
};
