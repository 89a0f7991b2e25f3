/** The pipeline on the store's own thread: what it reads and writes crosses no thread. */
import { systemClock } from '#system/clock.ts';
import type { Store } from '#system/store/store.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';
import type { FilterSettings } from './settings.ts';

/** `owner` is unique over all workers and restarts. */
export type CompanionData = { readonly owner: string; readonly presenceTimeoutMs: number; readonly filters: FilterSettings };

export type Starting = {
  readonly store: Store;
  readonly data: unknown;
  readonly onTrouble: (error: unknown) => void;
  /** Across the thread: lists of DeviceRef. */
  readonly tell: (news: unknown) => void;
};

export const start = ({ store, data, onTrouble, tell }: Starting): Pipeline =>
  startPipeline({ ...(data as CompanionData), store, clock: { ...systemClock, storeMs: store.storeMs }, onTrouble, onNews: tell });
