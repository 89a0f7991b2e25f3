/** One subscription to the stream, held and measured. */
import { connect, type Socket } from 'node:net';
import { FrameReader } from '#harness/engine/streams/frame-reader.ts';
import { subscription } from '#harness/target/stream-formats.ts';

/** As the schema has it; null where a kind of frame has no such field. */
export type SubscribedFrame = {
  readonly t: string;
  readonly channel: string | null;
  readonly key: string | null;
  readonly version: number | null;
  readonly cursor: string | null;
  readonly at: string | null;
  readonly data: unknown;
  readonly hashes: Readonly<Record<string, string>> | null;
  readonly code: string | null;
  readonly retryMs: number | null;
};

export type SubscriberOptions = {
  /** Of the service, without a path. */
  readonly url: string;
  readonly authorization: string;
  readonly channels: readonly string[];
  /** A cursor, -1 or now. */
  readonly since?: string;
  readonly heartbeatMs?: number;
  readonly onFrame?: (frame: SubscribedFrame) => void;
  readonly onDelay?: (delayMs: number) => void;
};

export type SubscriberCounts = { events: number; heartbeats: number; gaps: number; repeats: number; errors: number };
export type SubscriberEnd =
  | { readonly kind: 'bye'; readonly code: string; readonly retryMs: number }
  | { readonly kind: 'refused'; readonly status: number; readonly text: string }
  | { readonly kind: 'complete' | 'lost' | 'closed' };

export type Subscriber = {
  readonly counts: Readonly<SubscriberCounts>;
  readonly cursor: () => string | undefined;
  readonly ended: Promise<SubscriberEnd>;
  readonly socket: Socket;
  readonly close: () => void;
};

type Payload = { readonly data?: { readonly stream?: SubscribedFrame | null } | null; readonly errors?: readonly { readonly message: string }[] };
type Seen = { readonly counts: SubscriberCounts; readonly versions: Map<string, number>; cursor: string | undefined; end: SubscriberEnd };

export function openSubscriber(options: SubscriberOptions): Subscriber {
  const { url, channels, since, heartbeatMs } = options;
  const seen: Seen = {
    counts: { events: 0, heartbeats: 0, gaps: 0, repeats: 0, errors: 0 },
    versions: new Map(),
    cursor: undefined,
    end: { kind: 'lost' },
  };
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(requestText(options, JSON.stringify({ query: subscription, variables: { channels, since, heartbeatMs } })));
  const reader = new FrameReader();
  let head = '';
  const events = {
    onHead: (text: string): boolean => {
      head = text;
      return isStream(text);
    },
    onLine: (line: string): void => {
      if (line.startsWith('data: ')) take(seen, JSON.parse(line.slice('data: '.length)) as Payload, options);
      else if (line === 'event: complete' && seen.end.kind === 'lost') seen.end = { kind: 'complete' };
    },
    onEnd: () => undefined,
    onTrouble: () => void socket.destroy(),
  };
  socket.on('data', (bytes: Buffer) => {
    reader.push(bytes, 0, bytes.length, events);
    if (head !== '' && !isStream(head)) {
      seen.end = { kind: 'refused', status: Number(head.split(' ', 2)[1]), text: bytes.toString('utf8').slice(0, 1000) };
      socket.destroy();
    }
  });
  socket.on('error', () => undefined);
  const ended = new Promise<SubscriberEnd>((resolve) => socket.once('close', () => resolve(seen.end)));
  return {
    counts: seen.counts,
    cursor: () => seen.cursor,
    ended,
    socket,
    close: () => {
      seen.end = { kind: 'closed' };
      socket.destroy();
    },
  };
}

/** An error before the first event is a whole answer. */
const isStream = (head: string): boolean => /^HTTP\/1\.1 200 /.test(head) && /^transfer-encoding: chunked/im.test(head);

function requestText({ url, authorization }: SubscriberOptions, body: string): string {
  const lines = [
    'POST /graphql HTTP/1.1',
    `Host: ${new URL(url).host}`,
    `Authorization: ${authorization}`,
    'Accept: text/event-stream',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

function take(seen: Seen, { data, errors }: Payload, { onFrame, onDelay }: SubscriberOptions): void {
  if (errors !== undefined) seen.counts.errors++;
  const frame = data?.stream;
  if (frame === undefined || frame === null) return;
  if (frame.t === 'put' || frame.t === 'del') {
    seen.counts.events++;
    if (frame.at !== null) onDelay?.(Math.max(0, Date.now() - Date.parse(frame.at)));
    compare(seen, frame);
  } else if (frame.t === 'hb') seen.counts.heartbeats++;
  else if (frame.t === 'reset') seen.versions.clear();
  else if (frame.t === 'bye') seen.end = { kind: 'bye', code: frame.code ?? '', retryMs: frame.retryMs ?? 0 };
  if (frame.cursor !== null) seen.cursor = frame.cursor;
  onFrame?.(frame);
}

/** States have neither version nor cursor. */
function compare(seen: Seen, { channel, key, version, cursor }: SubscribedFrame): void {
  if (cursor !== null && seen.cursor !== undefined && cursor <= seen.cursor) seen.counts.repeats++;
  if (version === null) return;
  const name = `${channel} ${key}`;
  const before = seen.versions.get(name);
  if (before !== undefined && version > before + 1) seen.counts.gaps += version - before - 1;
  seen.versions.set(name, version);
}
