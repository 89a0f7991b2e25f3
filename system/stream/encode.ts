/** Frames as bytes on the wire: NDJSON lines or server-sent events, each frame one chunk. */
import { encodeCursor } from '#system/protocol/cursor.ts';
import type { Frame } from '#system/protocol/frames.ts';
import { textOf } from '#system/protocol/json-spans.ts';
import { escapeLineBreaks, oneLine } from '#system/protocol/one-line.ts';
import { jsonText } from '#system/protocol/raw-json.ts';
import type { Change, LogKey } from '#system/store/store.ts';
import { chunkOf } from './outlet.ts';

export type Format = 'ndjson' | 'sse';
/** HTTP/1.0 knows no chunks: the body of an unchunked form ends with its connection. */
export type Form = Format | `${Format} unchunked`;

export const formOf = (format: Format, isChunked: boolean): Form => (isChunked ? format : `${format} unchunked`);
const isSse = (form: Form): boolean => form.startsWith('sse');
export const isChunked = (form: Form): boolean => !form.endsWith('unchunked');

/** A part of a body, as the form puts it on the wire. */
export const partOf = (form: Form, text: string): Buffer => (isChunked(form) ? chunkOf(text) : Buffer.from(text));

export const contentTypes: Readonly<Record<Format, string>> = { ndjson: 'application/x-ndjson', sse: 'text/event-stream' };

/** `retryMs`: how long an EventSource waits before it comes back. */
export function encodeFrame(form: Form, frame: Frame, retryMs?: number): Buffer {
  const cursor = 'c' in frame ? frame.c : frame.t === 'hello' ? frame.from : undefined;
  return encodeText(form, { t: frame.t, cursor, json: escapeLineBreaks(jsonText(frame)), retryMs });
}

type FrameText = { readonly t: string; readonly cursor: string | undefined; readonly json: string; readonly retryMs?: number | undefined };

function encodeText(form: Form, { t, cursor, json, retryMs }: FrameText): Buffer {
  if (!isSse(form)) return partOf(form, `${json}\n`);
  const retry = retryMs === undefined ? '' : `retry: ${retryMs}\n`;
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  return partOf(form, `${retry}${id}event: ${t}\ndata: ${json}\n\n`);
}

/** One change as its subscribers get it; the item's JSON goes in as it is. */
export type ChangeFrames = { readonly channel: string; readonly position: string; readonly bytes: (form: Form) => Buffer };

export function changeFrames(change: Change, log: LogKey, epoch: string): ChangeFrames {
  const cursor = encodeCursor({ epoch, position: change.position }, log);
  const text: FrameText = { t: change.bytes === undefined ? 'del' : 'put', cursor, json: changeJson(change, cursor) };
  const made: Partial<Record<Form, Buffer>> = {};
  return {
    channel: change.channel,
    position: change.position,
    bytes: (form) => {
      made[form] ??= encodeText(form, text);
      return made[form];
    },
  };
}

export function changeJson({ channel, key, version, atMs, bytes }: Change, cursor: string): string {
  const head = `"ch":${JSON.stringify(channel)},"k":${JSON.stringify(key)},"ver":${version},"c":"${cursor}","ts":"${new Date(atMs).toISOString()}"`;
  if (bytes === undefined) return `{"t":"del",${head}}`;
  return `{"t":"put",${head},"d":${textOf(oneLine(bytes))}}`;
}
