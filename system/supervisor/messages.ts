/** What supervisor and workers say to each other. */
import type { LogKey } from '#system/store/store.ts';
import type { Snapshot } from '#system/telemetry/counts.ts';

export type ToWorker =
  | { readonly kind: 'drain' }
  | { readonly kind: 'poke'; readonly keys: readonly LogKey[] }
  | { readonly kind: 'snapshot-wanted'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string };

export type ToSupervisor =
  | { readonly kind: 'listening'; readonly url: string; readonly adminUrl: string; readonly proxyUrl: string | undefined }
  | { readonly kind: 'drain-wanted' }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'snapshot'; readonly id: number; readonly snapshot: Snapshot }
  | { readonly kind: 'metrics-wanted'; readonly id: number }
  | { readonly kind: 'poke'; readonly keys: readonly LogKey[] };
