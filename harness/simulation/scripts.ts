// Servers whose behaviour is known to the millisecond.
import type { Act, ScriptedServer } from './scripted-wire.ts';

export const body202 = (accepted: number): string =>
  JSON.stringify({ accepted, duplicate: 0, rejected: [], position: '0000000000000001', durability: 'fsync' });

export function answerText(body: string, status = '202 Accepted', headers = ''): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export const bytesAt = (atMs: number, text: string): Act => ({ kind: 'bytes', atMs, text });

/** Always the same time, always right. */
export const constantServer = (serviceMs: number, text = answerText(body202(1))): ScriptedServer => ({
  answer: (request) => [bytesAt(request.atMs + serviceMs, text)],
});

/** Constant, but between two instants it does nothing: what came in then is answered after the end. */
export const stallingServer = (options: { readonly serviceMs: number; readonly fromMs: number; readonly untilMs: number }): ScriptedServer => ({
  answer: ({ atMs }) => {
    const stalled = atMs >= options.fromMs && atMs < options.untilMs;
    return [bytesAt((stalled ? options.untilMs : atMs) + options.serviceMs, answerText(body202(1)))];
  },
});

/** One in so many requests is never answered. */
export const hangingServer = (options: { readonly serviceMs: number; readonly oneIn: number }): ScriptedServer => ({
  answer: ({ atMs, request }) => (request % options.oneIn === 0 ? [] : [bytesAt(atMs + options.serviceMs, answerText(body202(1)))]),
});
