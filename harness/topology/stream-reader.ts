/** One stream as a client reads it that keeps every frame: for rules and tests, not for load. */
import { connect, type Socket } from 'node:net';

export type ReadFrame = { readonly t: string; readonly c?: string; readonly k?: string; readonly code?: string; readonly [name: string]: unknown };

export type StreamReader = {
  /** As they came; `atMs` of performance.now(). */
  readonly frames: readonly ReadFrame[];
  readonly arrivedAtMs: readonly number[];
  /** Each chunk of the body as it came. */
  readonly chunks: readonly string[];
  readonly status: () => number | undefined;
  readonly header: (name: string) => string | undefined;
  /** What came of a body that is no stream. */
  readonly text: () => string;
  readonly state: () => 'open' | 'ended';
  readonly ended: Promise<{ readonly error: string | undefined }>;
  readonly socket: Socket;
  readonly close: () => void;
};

export type StreamRequest = { readonly url: string; readonly authorization: string; readonly headers?: Readonly<Record<string, string>> };

export function openStream({ url, authorization, headers = {} }: StreamRequest): StreamReader {
  const { hostname, port, pathname, search, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const frames: ReadFrame[] = [];
  const arrivedAtMs: number[] = [];
  const chunks: string[] = [];
  let head: string | undefined;
  let held = Buffer.alloc(0);
  let error: string | undefined;
  const lines = Object.entries({ Host: host, Authorization: authorization, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const takeChunk = (): boolean => {
    const lineEnd = held.indexOf('\r\n');
    const length = lineEnd < 0 ? Number.NaN : Number.parseInt(held.toString('latin1', 0, lineEnd), 16);
    if (Number.isNaN(length) || held.length < lineEnd + 4 + length) return false;
    const chunk = held.toString('utf8', lineEnd + 2, lineEnd + 2 + length);
    held = held.subarray(lineEnd + 4 + length);
    if (length === 0) return false;
    chunks.push(chunk);
    for (const line of chunk.split('\n')) {
      const json = line.startsWith('{') ? line : line.startsWith('data: ') ? line.slice('data: '.length) : undefined;
      if (json === undefined) continue;
      frames.push(JSON.parse(json) as ReadFrame);
      arrivedAtMs.push(performance.now());
    }
    return true;
  };
  socket.on('data', (bytes: Buffer) => {
    held = Buffer.concat([held, bytes]);
    if (head === undefined) {
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      head = held.toString('latin1', 0, end);
      held = held.subarray(end + 4);
    }
    if (/^transfer-encoding: chunked/im.test(head)) while (takeChunk());
  });
  socket.on('error', (cause: Error & { code?: string }) => {
    error = cause.code ?? cause.message;
  });
  let state: 'open' | 'ended' = 'open';
  const ended = new Promise<{ error: string | undefined }>((resolve) => {
    socket.once('close', () => {
      state = 'ended';
      resolve({ error });
    });
  });
  return {
    frames,
    arrivedAtMs,
    chunks,
    status: () => (head === undefined ? undefined : Number(head.split(' ', 2)[1])),
    header: (name) => new RegExp(`^${name}: (.*)$`, 'im').exec(head ?? '')?.[1]?.trim(),
    text: () => held.toString('utf8'),
    state: () => state,
    ended,
    socket,
    close: () => socket.destroy(),
  };
}
