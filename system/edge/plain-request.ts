/**
 * Reads the one request that nearly all of a busy service's requests are: `POST /v1/events` with a bearer token, whole
 * in the bytes that came, and nothing about it that HTTP would treat in a special way. Whatever is not just that is no
 * plain request, and a real parser's business: this one never says that a request is wrong. Pure.
 */

import { hostPattern } from '#system/protocol/headers/head.ts';

export type PlainRequest = {
  readonly authorization: string;
  readonly requestId: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly body: Buffer;
};

const startLine = 'POST /v1/events HTTP/1.1\r\n';
const headEnd = Buffer.from('\r\n\r\n');
const headBytesMax = 8192;
/** Printable ASCII in lines that begin with no blank. */
const plainLines = /^(?:[!-~][ -~]*\r\n)*[!-~][ -~]*$/;

/** Headers that change nothing here, however often they come. */
const ignored = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'forwarded',
  'traceparent',
  'tracestate',
  'user-agent',
  'via',
  'x-amzn-trace-id',
  'x-forwarded-for',
  'x-forwarded-port',
  'x-forwarded-proto',
]);

/** Each once, and with a value that fits. */
const known: Readonly<Record<string, RegExp>> = {
  host: hostPattern,
  authorization: /^Bearer \S+$/,
  'content-type': /^application\/json(?:; ?charset=utf-8)?$/i,
  'content-length': /^[1-9]\d{0,5}$/,
  connection: /^keep-alive$/i,
  'x-request-id': /^\S{1,200}$/,
  'idempotency-key': /^\S{1,200}$/,
};

/** What a plain request begins with; whether it is one is known once it was read. */
export const startsPlainly = (bytes: Buffer): boolean => bytes.toString('latin1', 0, startLine.length) === startLine;

export function readPlainRequest(bytes: Buffer): PlainRequest | undefined {
  const end = bytes.indexOf(headEnd);
  if (end < 0 || end > headBytesMax) return undefined;
  const head = bytes.toString('latin1', 0, end);
  if (!head.startsWith(startLine) || !plainLines.test(head)) return undefined;
  const headers = readHeaders(head);
  if (headers === undefined) return undefined;
  const { host, authorization, 'content-type': type, 'content-length': length } = headers;
  const body = bytes.subarray(end + headEnd.length);
  if (host === undefined || authorization === undefined || type === undefined || body.length !== Number(length)) return undefined;
  return { authorization, requestId: headers['x-request-id'], idempotencyKey: headers['idempotency-key'], body };
}

/** Undefined where there is one that is neither known nor ignored. */
function readHeaders(head: string): Readonly<Record<string, string>> | undefined {
  const found: Record<string, string> = {};
  for (let at = startLine.length; at < head.length; ) {
    const next = head.indexOf('\r\n', at);
    const end = next < 0 ? head.length : next;
    const colon = head.indexOf(':', at);
    if (colon < 0 || colon > end) return undefined;
    const name = head.slice(at, colon).toLowerCase();
    at = end + 2;
    if (ignored.has(name)) continue;
    const value = head.slice(colon + 1, end).trim();
    if (found[name] !== undefined || known[name]?.test(value) !== true) return undefined;
    found[name] = value;
  }
  return found;
}
