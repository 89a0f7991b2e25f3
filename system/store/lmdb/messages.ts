/** Between the thread that serves requests and the thread that writes. */
import type { AppendResult, OutwardCommands, Store, StoreTrouble } from '#system/store/store.ts';
import type { TimeAnchor } from '#system/store/store-time.ts';
import type { AppendExtra } from './appends.ts';
import type { DirectOptions } from './direct-store.ts';
import type { ChangeCommands } from './lmdb-changes.ts';
import type { StoreReads } from './reads.ts';

/** Runs beside the store on its own thread, over the same store: the pipeline. The module exports `start`. */
export type Companion = { readonly module: string; readonly data: unknown };
export type RunningCompanion = { readonly stop: () => Promise<void> };
export type StartCompanion = (input: {
  readonly store: Store;
  readonly data: unknown;
  readonly onTrouble: (error: unknown) => void;
  readonly tell: (news: unknown) => void;
}) => RunningCompanion;

export type ThreadData = DirectOptions & { readonly companion?: Companion | undefined };

/** Commands without a fast path, by the store's own names. */
export type CommandName =
  | 'lease'
  | 'release'
  | 'step'
  | 'noteClock'
  | 'planArchive'
  | 'commitArchive'
  | 'putDevice'
  | 'putAccount'
  | 'settle'
  | 'leaseQuota'
  | keyof ChangeCommands
  | keyof OutwardCommands
  | 'backup'
  | 'touch'
  | 'expire'
  | 'putMetered';
export type ReadName = keyof StoreReads | 'readTrouble';

export type ToThread =
  | { readonly kind: 'append'; readonly id: number; readonly bytes: Uint8Array; readonly events: number; readonly extras: readonly AppendExtra[] }
  | { readonly kind: 'command'; readonly id: number; readonly name: CommandName; readonly command: unknown }
  | { readonly kind: 'read'; readonly id: number; readonly name: ReadName; readonly query: unknown }
  | { readonly kind: 'close' };

export type Failure = { readonly trouble: StoreTrouble | undefined; readonly text: string };

export type FromThread =
  | { readonly kind: 'opened'; readonly anchor: TimeAnchor }
  | { readonly kind: 'not-opened'; readonly failure: Failure }
  | { readonly kind: 'appended'; readonly id: number; readonly results: readonly AppendResult[] }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'was-read'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: Failure }
  | { readonly kind: 'lost'; readonly failure: Failure }
  | { readonly kind: 'companion-says'; readonly news: unknown }
  | { readonly kind: 'companion-trouble'; readonly failure: Failure };
