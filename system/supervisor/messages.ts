/** What supervisor and workers say to each other. An `id` is of a question: its answer has the same. */
import type { News, Watch } from '#system/bus.ts';
import type { RestartOutcome } from '#system/routes-admin.ts';
import type { PermitWanted } from '#system/stream/permits.ts';
import type { Snapshot } from '#system/telemetry/counts.ts';
import type { Addresses } from './worker.ts';

export type ToWorker =
  | { readonly kind: 'drain' }
  | { readonly kind: 'leave' }
  | { readonly kind: 'news'; readonly news: News }
  /** With an id the supervisor wants to know that it is known. */
  | { readonly kind: 'watch'; readonly worker: number; readonly id: number | undefined; readonly accounts: readonly string[] }
  | { readonly kind: 'watches'; readonly watches: readonly Watch[] }
  | { readonly kind: 'watched'; readonly id: number }
  | { readonly kind: 'snapshot-wanted'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string }
  | { readonly kind: 'permits'; readonly id: number; readonly granted: readonly boolean[] }
  | { readonly kind: 'restart'; readonly id: number; readonly outcome: RestartOutcome };

export type ToSupervisor =
  | { readonly kind: 'listening'; readonly addresses: Addresses }
  | { readonly kind: 'drain-wanted' }
  | { readonly kind: 'restart-wanted'; readonly id: number }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'snapshot'; readonly id: number; readonly snapshot: Snapshot }
  /** Before it ends by itself. */
  | { readonly kind: 'last-snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'permits-wanted'; readonly id: number; readonly wanted: readonly PermitWanted[] }
  | { readonly kind: 'permits-back'; readonly accounts: readonly string[] }
  | { readonly kind: 'metrics-wanted'; readonly id: number }
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'watch'; readonly id: number; readonly accounts: readonly string[] }
  /** What the worker `of` asked under this id. */
  | { readonly kind: 'watch-known'; readonly of: number; readonly id: number };
