/** The forms in which the contract tells a stream: what a listener asks for, and which frame a line of the answer is. Pure text. */
import type { Frame } from '#system/protocol/frames.ts';
import type { OperationRequest } from './operation.ts';
import { parseFrame, type StreamAsk, streamPath } from './stream-contract.ts';

export type StreamFormat = 'ndjson' | 'sse' | 'graphql';

export type StreamForm = {
  readonly request: (ask: StreamAsk, authorization: string) => OperationRequest;
  /** `nothing`: a line that belongs to the form and tells nothing. Undefined: none of this form. */
  readonly frameOf: (line: string) => Frame | 'nothing' | undefined;
};

const streamOf = (accept: string): StreamForm['request'] => {
  return (ask, authorization) => ({ method: 'GET', path: streamPath(ask), headers: [`Authorization: ${authorization}`, `Accept: ${accept}`], body: '' });
};

/** Of an event stream only `data` is read: it holds the cursor too, which `id` says once more. */
const dataOf = (line: string): string | undefined => (line.startsWith('data:') ? line.slice('data:'.length).trimStart() : undefined);

function eventFrameOf(line: string): Frame | 'nothing' | undefined {
  const data = dataOf(line);
  return data === undefined ? 'nothing' : parseFrame(data);
}

/** All that a frame may say. */
export const subscription = `subscription ($channels: [String!]!, $since: String, $heartbeatMs: Int) {
  stream(channels: $channels, since: $since, heartbeatMs: $heartbeatMs) { t channel key version cursor at data epoch from resumed heartbeatMs ageMs hashes code retryMs reason snapshot }
}`;

/** As the schema has it; null where a kind of frame has no such field. */
type Subscribed = {
  readonly [name in
    | 't'
    | 'channel'
    | 'key'
    | 'version'
    | 'cursor'
    | 'at'
    | 'data'
    | 'epoch'
    | 'from'
    | 'resumed'
    | 'heartbeatMs'
    | 'ageMs'
    | 'hashes']?: unknown;
} & { readonly [name in 'code' | 'retryMs' | 'reason' | 'snapshot']?: unknown };

/** `data:` alone ends a subscription; an answer with errors and no frame is none. */
function subscribedFrameOf(line: string): Frame | 'nothing' | undefined {
  const data = dataOf(line);
  if (data === undefined || data === '') return 'nothing';
  try {
    const { stream } = (JSON.parse(data) as { data?: { stream?: Subscribed } | null }).data ?? {};
    return typeof stream?.t === 'string' ? frameOf(stream) : undefined;
  } catch {
    return undefined;
  }
}

/** Under the names that the stream itself has; what is null there is missing here. */
function frameOf({
  t,
  channel,
  key,
  version,
  cursor,
  at,
  data,
  epoch,
  from,
  resumed,
  heartbeatMs,
  ageMs,
  hashes,
  code,
  retryMs,
  reason,
  snapshot,
}: Subscribed): Frame {
  const named = { t, ch: channel, k: key, ver: version, c: cursor, ts: at, d: data, epoch, from, resumed, hb: heartbeatMs, age: ageMs, h: hashes, code };
  const all = { ...named, retry_ms: retryMs, reason, snapshot };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== undefined)) as unknown as Frame;
}

export const streamForms: Readonly<Record<StreamFormat, StreamForm>> = {
  ndjson: { request: streamOf('application/x-ndjson'), frameOf: parseFrame },
  sse: { request: streamOf('text/event-stream'), frameOf: eventFrameOf },
  graphql: {
    request: ({ channels, since, heartbeatMs }, authorization) => ({
      method: 'POST',
      path: '/graphql',
      headers: [`Authorization: ${authorization}`, 'Accept: text/event-stream', 'Content-Type: application/json'],
      body: JSON.stringify({ query: subscription, variables: { channels, since, heartbeatMs } }),
    }),
    frameOf: subscribedFrameOf,
  },
};
