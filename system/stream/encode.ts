/** Frames as bytes on the wire: NDJSON lines or server-sent events, each frame one chunk. */
import { encodeCursor } from '#system/protocol/cursor.ts';
import type { Frame } from '#system/protocol/frames.ts';
import type { Change, LogKey } from '#system/store/store.ts';
import { chunkOf } from './outlet.ts';

export type Format = 'ndjson' | 'sse';

export const contentTypes: Readonly<Record<Format, string>> = { ndjson: 'application/x-ndjson', sse: 'text/event-stream' };

/** `retryMs`: how long an EventSource waits before it comes back. */
export function encodeFrame(format: Format, frame: Frame, retryMs?: number): Buffer {
  const cursor = 'c' in frame ? frame.c : frame.t === 'hello' ? frame.from : undefined;
  return encodeText(format, { t: frame.t, cursor, json: JSON.stringify(frame), retryMs });
}

type FrameText = { readonly t: string; readonly cursor: string | undefined; readonly json: string; readonly retryMs?: number | undefined };

function encodeText(format: Format, { t, cursor, json, retryMs }: FrameText): Buffer {
  if (format === 'ndjson') return chunkOf(`${json}\n`);
  const retry = retryMs === undefined ? '' : `retry: ${retryMs}\n`;
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  return chunkOf(`${retry}${id}event: ${t}\ndata: ${json}\n\n`);
}

/** One change as its subscribers get it; the item's JSON goes in as it is. */
export type ChangeFrames = { readonly channel: string; readonly position: string; readonly bytes: (format: Format) => Buffer };

export function changeFrames(change: Change, log: LogKey, epoch: string): ChangeFrames {
  const cursor = encodeCursor({ epoch, position: change.position }, log);
  const text: FrameText = { t: change.bytes === undefined ? 'del' : 'put', cursor, json: changeJson(change, cursor) };
  const made: Partial<Record<Format, Buffer>> = {};
  return {
    channel: change.channel,
    position: change.position,
    bytes: (format) => {
      made[format] ??= encodeText(format, text);
      return made[format];
    },
  };
}

export function changeJson({ channel, key, version, atMs, bytes }: Change, cursor: string): string {
  const head = `"ch":${JSON.stringify(channel)},"k":${JSON.stringify(key)},"ver":${version},"c":"${cursor}","ts":"${new Date(atMs).toISOString()}"`;
  return bytes === undefined
    ? `{"t":"del",${head}}`
    : `{"t":"put",${head},"d":${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')}}`;
}
