/** Reads devices' histories through the public API: another route to the events that the export lists. */
import { Pool } from 'undici';
import { messageOf } from '#harness/message-of.ts';

export type HistoryOwner = { readonly deviceId: string /** The account's secret. */; readonly authorization: string };

export type HistoryLine = { readonly id: string; readonly position: string };

/** `page`: the answer's own bytes. */
export type HistoryRead = { readonly lines: readonly HistoryLine[]; readonly pages: readonly string[] } | { readonly trouble: string };

export type HistoriesInput<Owner extends HistoryOwner> = {
  readonly url: string;
  readonly owners: readonly Owner[];
  /** Devices that are not read by then have a trouble. */
  readonly budgetMs: number;
  readonly onRead: (owner: Owner, read: HistoryRead) => void;
};

const connections = 8;
const pageMax = 1000;
const attemptsMax = 5;
const retryAfterSecondsMax = 5;

/** Never rejects: `onRead` is called once for every owner. */
export async function readHistories<Owner extends HistoryOwner>({ url, owners, budgetMs, onRead }: HistoriesInput<Owner>): Promise<void> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1, headersTimeout: 30_000, bodyTimeout: 30_000 });
  const signal = AbortSignal.timeout(budgetMs);
  const path = pathname.replace(/\/$/, '');
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < owners.length) {
      const owner = owners[next++] as Owner;
      try {
        onRead(owner, await readHistory({ pool, path, owner, signal }));
      } catch (error) {
        const trouble = signal.aborted ? `it was not read within ${budgetMs / 1000} s` : messageOf(error);
        onRead(owner, { trouble });
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, work));
  } finally {
    await pool.destroy();
  }
}

type Reading = { readonly pool: Pool; readonly path: string; readonly owner: HistoryOwner; readonly signal: AbortSignal };

async function readHistory(reading: Reading): Promise<HistoryRead> {
  const lines: HistoryLine[] = [];
  const pages: string[] = [];
  const tokens = new Set<string>();
  for (let token: string | undefined; ; ) {
    const text = await readPage(reading, token);
    const { events, pagination_token: next } = JSON.parse(text) as { events?: HistoryLine[]; pagination_token?: string };
    if (!Array.isArray(events)) throw new Error(`the history of ${reading.owner.deviceId} answered without events: ${text.slice(0, 200)}`);
    for (const { id, position } of events) lines.push({ id, position });
    pages.push(text);
    if (next === undefined) return { lines, pages };
    if (tokens.has(next)) throw new Error(`the history of ${reading.owner.deviceId} gave the token ${next} a second time`);
    tokens.add(next);
    token = next;
  }
}

/** A service that has too much to do says when to come back. */
async function readPage({ pool, path, owner, signal }: Reading, token: string | undefined): Promise<string> {
  const { deviceId, authorization } = owner;
  const after = token === undefined ? '' : `&pagination_token=${encodeURIComponent(token)}`;
  const asked = `${path}/v1/devices/${deviceId}/history?include=filtered&limit=${pageMax}${after}`;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const { statusCode, headers, body } = await pool.request({ path: asked, method: 'GET', headers: { authorization }, signal });
    const text = await body.text();
    if (statusCode === 200) return text;
    const retryAfter = Number(headers['retry-after']);
    if ((statusCode !== 429 && statusCode !== 503) || attempt === attemptsMax || !(retryAfter >= 0))
      throw new Error(`the history of ${deviceId} answered ${statusCode}: ${text.slice(0, 200)}`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(retryAfter, retryAfterSecondsMax) * 1000));
  }
}
