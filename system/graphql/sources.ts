/** What resolvers read from. Made for one caller; each of them throws a Problem where the caller may not. */
import type { Frame } from '#system/protocol/frames.ts';
import type { UsageAnswer } from '#system/protocol/schemas.ts';
import type { DeviceRow, Disposition, LatestLocation } from '#system/store/store.ts';

export type DeviceView = { readonly id: string; readonly row: DeviceRow };
export type EventView = {
  readonly id: string;
  readonly position: string;
  readonly disposition: Disposition;
  readonly receivedAtMs: number;
  readonly bytes: Uint8Array;
};
export type HistoryArguments = {
  readonly from?: string | null;
  readonly to?: string | null;
  readonly first: number;
  readonly after?: string | null;
  readonly includeFiltered: boolean;
};
export type StreamArguments = { readonly channels: readonly string[]; readonly since?: string | null; readonly heartbeatMs?: number | null };

export type Sources = {
  readonly device: (id: string) => Promise<DeviceView | undefined>;
  readonly devices: (page: {
    readonly first: number;
    readonly after?: string | null;
  }) => Promise<{ readonly items: readonly DeviceView[]; readonly after: string | null }>;
  readonly isOnline: (id: string) => Promise<boolean>;
  readonly location: (id: string) => Promise<LatestLocation | undefined>;
  /** `next`: where the page behind it begins; undefined at the end. */
  readonly history: (id: string, page: HistoryArguments) => Promise<{ readonly events: readonly EventView[]; readonly next: string | undefined }>;
  readonly usage: (range: { readonly from?: string | null; readonly to?: string | null }) => Promise<UsageAnswer['days']>;
  /** From `hello` to `bye`. */
  readonly frames: (stream: StreamArguments) => Promise<AsyncIterableIterator<Frame>>;
};

export type Context = {
  readonly sources: Sources;
  /** Says to a client that listens that the connection is alive. */
  readonly keepAlive: () => void;
};
