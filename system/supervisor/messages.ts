/** What supervisor and workers say to each other. */
import type { News } from '#system/bus.ts';
import type { Snapshot } from '#system/telemetry/counts.ts';

export type ToWorker =
  | { readonly kind: 'drain' }
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'watch'; readonly worker: number; readonly accounts: readonly string[] }
  | { readonly kind: 'snapshot-wanted'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string };

export type ToSupervisor =
  | { readonly kind: 'listening'; readonly url: string; readonly adminUrl: string; readonly proxyUrl: string | undefined }
  | { readonly kind: 'drain-wanted' }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'snapshot'; readonly id: number; readonly snapshot: Snapshot }
  | { readonly kind: 'metrics-wanted'; readonly id: number }
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'watch'; readonly accounts: readonly string[] };
