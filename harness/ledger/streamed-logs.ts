/** Reads users' logs as a listener gets them, by long polls: another route to what the collections' pages list. */
import { Pool } from 'undici';
import { messageOf } from '#harness/message-of.ts';
import { parseFrame } from '#harness/target/stream-contract.ts';
import type { LoggedChange } from './read-logs.ts';

/** In the order of cursors. `pages`: the answers' own bytes. */
export type StreamedLog = { readonly changes: readonly LoggedChange[]; readonly pages: readonly string[] } | { readonly trouble: string };

export type StreamedLogsInput = {
  readonly url: string;
  /** Authorization headers by user. */
  readonly authorizations: readonly string[];
  readonly users: readonly number[];
  readonly channels: readonly string[];
  /** Users whose log is not read by then have a trouble. */
  readonly budgetMs: number;
};

/** The last poll of each log waits for its heartbeat: so many wait side by side. */
const connections = 32;
const heartbeatMs = 1000;
const attemptsMax = 5;
const retryAfterSecondsMax = 5;

/** Never rejects. */
export async function readStreamedLogs(input: StreamedLogsInput): Promise<ReadonlyMap<number, StreamedLog>> {
  const { url, authorizations, users, channels, budgetMs } = input;
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1, headersTimeout: 30_000, bodyTimeout: 30_000 });
  const signal = AbortSignal.timeout(budgetMs);
  const path = `${pathname.replace(/\/$/, '')}/v1/stream?ch=${channels.join(',')}&hb=${heartbeatMs}&mode=longpoll`;
  const logs = new Map<number, StreamedLog>();
  const left = users.values();
  const work = async (): Promise<void> => {
    for (const user of left) {
      const read = readLog({ pool, path, authorization: authorizations[user] as string, signal });
      logs.set(user, await read.catch((error: unknown) => ({ trouble: troubleOf(error, signal, budgetMs) })));
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, work));
  } finally {
    await pool.destroy();
  }
  return logs;
}

const troubleOf = (error: unknown, { aborted }: AbortSignal, budgetMs: number): string =>
  aborted ? `the log was not read as a stream within ${budgetMs / 1000} s` : messageOf(error);

type Reading = { readonly pool: Pool; readonly path: string; readonly authorization: string; readonly signal: AbortSignal };

async function readLog(reading: Reading): Promise<StreamedLog> {
  const changes: LoggedChange[] = [];
  const pages: string[] = [];
  const cursors = new Set<string>();
  for (let since = '-1'; ; ) {
    const { text, cursor } = await poll(reading, since);
    if (text === undefined) return { changes, pages };
    if (cursor === undefined || cursors.has(cursor)) throw new Error(`a long poll after ${since} answered without a new Sync-Cursor`);
    for (const line of text.split('\n')) if (line !== '') changes.push(changeOf(line));
    pages.push(text);
    cursors.add(cursor);
    since = cursor;
  }
}

function changeOf(line: string): LoggedChange {
  const frame = parseFrame(line);
  if (frame?.t !== 'put' && frame?.t !== 'del') throw new Error(`a long poll answered a line that is no change: ${line.slice(0, 120)}`);
  return frame as LoggedChange;
}

/** `text` is undefined where nothing more came within a heartbeat. A service that has too much to do says when to come back. */
async function poll({ pool, path, authorization, signal }: Reading, since: string): Promise<{ readonly text?: string; readonly cursor?: string | undefined }> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const { statusCode, headers, body } = await pool.request({ path: `${path}&since=${since}`, method: 'GET', headers: { authorization }, signal });
    const text = await body.text();
    if (statusCode === 204) return {};
    const cursor = headers['sync-cursor'];
    if (statusCode === 200) return { text, cursor: typeof cursor === 'string' ? cursor : undefined };
    const retryAfter = Number(headers['retry-after']);
    if ((statusCode !== 429 && statusCode !== 503) || attempt === attemptsMax || !(retryAfter >= 0))
      throw new Error(`a long poll answered ${statusCode}: ${text.slice(0, 200)}`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(retryAfter, retryAfterSecondsMax) * 1000));
  }
}
