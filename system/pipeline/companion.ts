/** The pipeline on the store's own thread: what it reads and writes crosses no thread. */
import { systemClock } from '#system/clock.ts';
import type { Store } from '#system/store/store.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';

/** `owner` is unique over all workers and restarts. */
export type CompanionData = { readonly owner: string };

export const start = ({ store, data, onTrouble }: { readonly store: Store; readonly data: unknown; readonly onTrouble: (error: unknown) => void }): Pipeline =>
  startPipeline({ store, clock: systemClock, owner: (data as CompanionData).owner, filters: [], onTrouble });
