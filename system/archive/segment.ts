/** Segments and manifests as bytes. Pure. */
import { hash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { oneLine } from '#system/protocol/one-line.ts';
import type { LogEvent, Position } from '#system/store/store.ts';

const Segment = Type.Object({
  key: Type.String(),
  day: Type.String(),
  events: Type.Integer(),
  bytes: Type.Integer(),
  first_received_ms: Type.Number(),
  last_received_ms: Type.Number(),
  /** Digests of (account, device). */
  devices: Type.Array(Type.String()),
});
export type Segment = Static<typeof Segment>;
export const Manifest = Type.Object({
  version: Type.Literal(1),
  bucket: Type.Integer(),
  from: Type.String(),
  to: Type.String(),
  segments: Type.Array(Segment),
});
export type Manifest = Static<typeof Manifest>;

export type Slice = {
  readonly bucket: number;
  readonly from: Position;
  readonly to: Position;
  readonly name: string;
  /** What the pipeline kept, in order of acceptance. */
  readonly events: readonly LogEvent[];
};
export type PackedSegment = { readonly segment: Segment; readonly bytes: Uint8Array };

export const deviceDigest = (account: string, device: string): string => hash('sha256', `${account}\0${device}`, 'hex').slice(0, 12);
const dayOf = ({ receivedAtMs }: LogEvent): string => new Date(receivedAtMs).toISOString().slice(0, 10);
const bucketText = (bucket: number): string => `bucket=${String(bucket).padStart(2, '0')}`;

export const manifestKey = ({ bucket, to, name }: Pick<Slice, 'bucket' | 'to' | 'name'>): string => `manifests/${bucketText(bucket)}/${to}-${name}.json`;

/** By the UTC day of reception; a day's events in several segments where they have more bytes than one may. */
export function packSlice(slice: Slice, segmentBytesMax: number): readonly PackedSegment[] {
  return [...Map.groupBy(slice.events, dayOf)].flatMap(([day, events]) =>
    parts(events, segmentBytesMax).map((part, i) => {
      const bytes = gzipSync(Buffer.concat(part.map(lineOf)));
      const times = part.map(({ receivedAtMs }) => receivedAtMs);
      const key = `segments/day=${day}/${bucketText(slice.bucket)}/${slice.to}-${slice.name}-${i}.ndjson.gz`;
      const devices = [...new Set(part.map(({ account, device }) => deviceDigest(account, device)))];
      const segment = {
        key,
        day,
        events: part.length,
        bytes: bytes.length,
        first_received_ms: Math.min(...times),
        last_received_ms: Math.max(...times),
        devices,
      };
      return { segment, bytes };
    }),
  );
}

function parts(events: readonly LogEvent[], bytesMax: number): readonly (readonly LogEvent[])[] {
  const all: LogEvent[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const event of events) {
    if (bytes + event.bytes.length > bytesMax) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)?.push(event);
    bytes += event.bytes.length;
  }
  return all;
}

function lineOf({ position, account, device, id, receivedAtMs, bytes }: LogEvent): Buffer {
  const head = JSON.stringify({ position, account_id: account, device_id: device, id, received_ms: receivedAtMs });
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},"event":`), oneLine(bytes), lineEnd]);
}
const lineEnd = Buffer.from('}\n');
const eventMark = Buffer.from(',"event":');

/** The event's own bytes come back as they were accepted. */
export function unpackSegment(bytes: Uint8Array, bucket: number): readonly LogEvent[] {
  const text = gunzipSync(bytes);
  const events: LogEvent[] = [];
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(0x0a, start);
    if (end === -1) throw new Error('a segment ends within a line');
    const line = text.subarray(start, end);
    const mark = line.indexOf(eventMark);
    const { position, account_id: account, device_id: device, id, received_ms: receivedAtMs } = JSON.parse(`${line.toString('utf8', 0, mark)}}`) as Head;
    events.push({ partition: bucket, position, account, device, id, receivedAtMs, bytes: line.subarray(mark + eventMark.length, line.length - 1) });
    start = end + 1;
  }
  return events;
}
type Head = { readonly position: string; readonly account_id: string; readonly device_id: string; readonly id: string; readonly received_ms: number };

export const packManifest = (manifest: Manifest): Buffer => Buffer.from(JSON.stringify(manifest));
export function unpackManifest(bytes: Uint8Array): Manifest {
  const manifest: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  if (!Value.Check(Manifest, manifest)) throw new Error('this is no manifest of the archive');
  return manifest;
}
