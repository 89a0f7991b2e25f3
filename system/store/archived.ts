/** How far the log is archived, by partition. The store keeps the plan and the list of runs; what was archived stands elsewhere. */
import type { Position } from './store.ts';

/** A slice of one partition's log, from (exclusive) to (inclusive), as one manifest names it. */
export type ArchivedRun = { readonly from: Position; readonly to: Position; readonly key: string };

export type PlanResult =
  | { readonly kind: 'planned'; readonly from: Position; readonly to: Position; readonly name: string }
  /** Another owner is at it, or nothing is due. */
  | { readonly kind: 'idle' };

export type ArchiveTotals = { readonly events: number; readonly segments: number; readonly bytes: number };

export type ArchiveStore = {
  /**
   * Settles what the next run takes before anything of it is written: whoever carries it on after a death writes the same slice under the same name.
   * Never beyond the pipeline's checkpoint, since what is behind that does not change any more.
   */
  readonly planArchive: (command: {
    readonly partition: number;
    readonly owner: string;
    readonly name: string;
    readonly to: Position;
    readonly nowMs: number;
    readonly ttlMs: number;
  }) => Promise<PlanResult>;
  /** The plan's slice is safe: `manifest` is the key of its list, missing where the slice had nothing to keep. False: somebody said so before. */
  readonly commitArchive: (
    command: { readonly partition: number; readonly name: string; readonly nowMs: number; readonly manifest?: string } & ArchiveTotals,
  ) => Promise<boolean>;
  /** For each partition how far it is archived, and when a run ended last. */
  readonly readArchive: () => Promise<{
    readonly partitions: readonly { readonly through: Position; readonly endedAtMs: number }[];
    readonly totals: ArchiveTotals;
  }>;
  /** Runs that end behind `after`, in order. */
  readonly readArchivedRuns: (query: { readonly partition: number; readonly after: Position; readonly limit: number }) => Promise<readonly ArchivedRun[]>;
};
