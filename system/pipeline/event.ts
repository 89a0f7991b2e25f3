/** An event of the log as the pipeline sees it, and the fix in a location. */
import { parseInstant } from '#system/protocol/instant.ts';
import { limits } from '#system/protocol/limits.ts';
import type { LogEvent } from '#system/store/store.ts';

export type ParsedEvent = {
  readonly type: string;
  readonly recordedAtMs: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly log: LogEvent;
};

/** What the filters look at. Metres and metres a second; undefined where the device did not say. */
export type Fix = {
  readonly lat: number;
  readonly lon: number;
  readonly recordedAtMs: number;
  readonly receivedAtMs: number;
  readonly accuracyMeters: number | undefined;
  readonly speedMetersPerSecond: number | undefined;
  readonly isDisowned: boolean;
  readonly isApproximate: boolean;
};

export function parseEvent(log: LogEvent): ParsedEvent {
  const { type, recorded_at, data } = JSON.parse(Buffer.from(log.bytes.buffer, log.bytes.byteOffset, log.bytes.byteLength).toString('utf8')) as {
    type: string;
    recorded_at: string;
    data: Record<string, unknown>;
  };
  return { type, recordedAtMs: parseInstant(recorded_at) ?? log.receivedAtMs, data, log };
}

/** The time by which a saying counts as the last one: a clock that is years ahead must not silence the device for years. */
export const believedMs = (recordedAtMs: number, receivedAtMs: number): number => Math.min(recordedAtMs, receivedAtMs + limits.recordedAheadMsMax);

/** Undefined for everything but a location. */
export function fixOf({ type, recordedAtMs, data, log }: ParsedEvent): Fix | undefined {
  if (type !== 'location') return undefined;
  const { lat, lon, accuracy, speed, valid, approximate, provider } = data;
  return {
    lat: lat as number,
    lon: lon as number,
    recordedAtMs,
    receivedAtMs: log.receivedAtMs,
    accuracyMeters: typeof accuracy === 'number' ? accuracy : undefined,
    // Phones say -1 where they do not know.
    speedMetersPerSecond: typeof speed === 'number' && speed >= 0 ? speed : undefined,
    isDisowned: valid === false,
    isApproximate: approximate === true || provider === 'network' || provider === 'cell' || provider === 'wifi',
  };
}
