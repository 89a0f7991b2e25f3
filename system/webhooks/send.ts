/** One request to somebody's server. Redirects are answers like others. */
import { Agent, request } from 'undici';
import { createConnect } from './connect.ts';
import type { Guard } from './guard.ts';
import type { Resolve } from './resolve.ts';

export type Sending = { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string };
export type SendAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | undefined; readonly body: string }
  | { readonly kind: 'unanswered'; readonly error: string };
/** Never rejects. */
export type Send = (sending: Sending) => Promise<SendAnswer>;

/** More than an echo needs; what comes behind it is not read. */
const answerBytesMax = 64 * 1024;
const keepAliveMs = 4000;
const errorCharactersMax = 200;

export function createSend({ guard, resolve, timeoutMs }: { readonly guard: Guard; readonly resolve: Resolve; readonly timeoutMs: number }): Send {
  // As many connections as attempts: endpoints that share an address must not wait for each other.
  const agent = new Agent({ connect: createConnect({ guard, resolve, timeoutMs }), keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs });
  return async ({ url, headers, body }) => {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, { method: 'POST', headers, body, dispatcher: agent, signal, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
      const retryAfter = answer.headers['retry-after'];
      return {
        kind: 'answered',
        status: answer.statusCode,
        retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
        body: await readBegin(answer.body),
      };
    } catch (error) {
      return { kind: 'unanswered', error: signal.aborted ? `no answer within ${timeoutMs} ms` : sentenceOf(error) };
    }
  };
}

/** The status has decided already: a body that breaks off, or stays open for longer than an attempt, is what came of it. */
async function readBegin(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of body) {
      parts.push(part);
      bytes += part.length;
      if (bytes >= answerBytesMax) break;
    }
  } catch {
    return Buffer.concat(parts).toString('utf8');
  }
  return Buffer.concat(parts).subarray(0, answerBytesMax).toString('utf8');
}

function sentenceOf(error: unknown): string {
  const { name, message, code } = error as { name?: string; message?: string; code?: string };
  return `${code ?? name ?? 'error'}: ${message ?? String(error)}`.slice(0, errorCharactersMax);
}
