/**
 * The contract as pure operations: what to send for an arrival, and whether what came back is right. No node:*, no Buffer, no
 * clock and no chance of its own, so that every engine, k6 included, can run them.
 */
import type { Population, Promised } from './item-laws.ts';

/** What an operation may know. Everything else it needs follows from these by arithmetic. */
export type OperationContext = {
  /** Names this run; 12 characters of [0-9a-z]. Event ids are a function of (run, arrival, index in the batch). */
  readonly run: string;
  readonly arrival: number;
  readonly device: DeviceCredentials;
  readonly eventsPerBatch: number;
  /** Wall clock at the intended start, for payloads only. */
  readonly intendedWallMs: number;
  /** A number in [0, 1) from the seed and the arrival, for payload variety. */
  readonly chance: number;
  readonly items: ItemContext;
};

/** What operations on items need to know; a run without users has none. */
export type ItemContext = Population & { readonly keysPerUser: number; readonly bytes: number };
export const noItems: ItemContext = { accounts: 1, devices: 1, users: 1, keysPerUser: 1, bytes: 0 };

/** What makes a device unlike others. */
export type DeviceHabits = {
  /** Missing: it drives. */
  readonly motion?: 'walk' | 'still';
  /** By how much its clock is ahead; it says then when it sends. */
  readonly clockAheadMs?: number;
};

export type DeviceCredentials = {
  readonly deviceId: string;
  /** Bearer token, `` until an authenticate operation of the chain has brought one. */
  readonly token: string;
  /** Set once a registration has answered it. */
  readonly secret: string;
  /** Value of the Authorization header with the account's publishable key. */
  readonly publishable: string;
  readonly habits?: DeviceHabits;
  /** Of a device of the loud account: what `flood` sends, it sends as that one. */
  readonly loudToken?: string;
};

export type OperationRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  readonly path: string;
  /** Header lines in order, each `Name: value`, without Host, Content-Length and Connection, which the engine writes. */
  readonly headers: readonly string[];
  /** A character is a byte. Empty for none. */
  readonly body: string;
};

export type OperationResponse = {
  readonly status: number;
  /** Lower-case names. */
  readonly header: (name: string) => string | undefined;
  readonly body: string;
};

/** `learned` is what the device knows from now on. */
export type Judgement =
  | {
      readonly kind: 'good';
      readonly acknowledged: number;
      readonly duplicate: number;
      /** Of an operation on items: which of its arrival's promises this answer made. */
      readonly promised?: Promised;
      readonly learned?: { readonly token?: string; readonly secret?: string };
    }
  | { readonly kind: 'shed'; readonly retryAfterSeconds: number }
  | { readonly kind: 'failed'; readonly reason: string };

export type Operation = {
  readonly name: string;
  /** What an arrival whose chain has this operation is kept in the ledger as; nothing where it stores nothing. Of a `device` a good answer alone is the acknowledgement. */
  readonly keeps?: 'events' | 'item' | 'device';
  /** Sends as a device of the loud account, not as the arrival's own: no order is promised between arrivals. */
  readonly asLoud?: boolean;
  readonly request: (context: OperationContext) => OperationRequest;
  readonly judge: (response: OperationResponse, context: OperationContext) => Judgement;
};
