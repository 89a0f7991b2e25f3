/** Reads users' logs back through the public API. */
import { Pool } from 'undici';
import { askAgain } from '#harness/topology/ask-again.ts';
import { collectionOf } from '#system/protocol/channels.ts';

export type ReadLogsInput = {
  readonly url: string;
  /** Authorization headers by user. */
  readonly authorizations: readonly string[];
  readonly users: readonly number[];
  readonly channels: readonly string[];
  readonly budgetMs: number;
  /** Each answer's own bytes. */
  readonly onPage?: (user: number, text: string) => void;
};

export type LoggedChange = {
  readonly t: string;
  readonly ch: string;
  readonly k: string;
  readonly ver?: number;
  readonly c: string;
  readonly d?: unknown;
};

const connections = 8;
const pageMax = 1000;

/** By user, in the order of cursors. Rejects with a sentence: a log that was not read whole says nothing of what is missing. */
export async function readLogs({
  url,
  authorizations,
  users,
  channels,
  budgetMs,
  onPage,
}: ReadLogsInput): Promise<ReadonlyMap<number, readonly LoggedChange[]>> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1, headersTimeout: 30_000, bodyTimeout: 30_000 });
  const endMs = performance.now() + budgetMs;
  const logs = new Map<number, readonly LoggedChange[]>();
  const checkBudget = (): void => {
    if (performance.now() > endMs) throw new Error(`the logs of ${users.length} users were not read within ${budgetMs / 1000} s`);
  };
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < users.length) {
      const user = users[next++] as number;
      const authorization = authorizations[user] as string;
      const changes: LoggedChange[] = [];
      const reading = { endMs, pool, path: pathname.replace(/\/$/, ''), authorization, checkBudget, onText: (text: string) => onPage?.(user, text) };
      for (const channel of channels) changes.push(...(await readChannel({ ...reading, channel })));
      logs.set(
        user,
        changes.toSorted((a, b) => (a.c < b.c ? -1 : 1)),
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, work));
  } finally {
    await pool.destroy();
  }
  return logs;
}

type Reading = {
  readonly endMs: number;
  readonly pool: Pool;
  readonly path: string;
  readonly authorization: string;
  readonly channel: string;
  readonly checkBudget: () => void;
  readonly onText: (text: string) => void;
};

async function readChannel({ endMs, pool, path, authorization, channel, checkBudget, onText }: Reading): Promise<readonly LoggedChange[]> {
  const all: LoggedChange[] = [];
  for (let since = '-1'; ; ) {
    checkBudget();
    const query = `${path}/v1/sync/${collectionOf(channel)}?since=${since}&limit=${pageMax}`;
    const answer = await askAgain(() => pool.request({ path: query, method: 'GET', headers: { authorization } }), endMs);
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${query} answered ${answer.statusCode}: ${text.slice(0, 200)}`);
    const { changes, cursor, up_to_date: isUpToDate } = JSON.parse(text) as { changes: LoggedChange[]; cursor: string; up_to_date: boolean };
    onText(text);
    all.push(...changes);
    if (isUpToDate) return all;
    if (cursor === since) throw new Error(`${query} answered its own cursor ${cursor} again and is not up to date`);
    since = cursor;
  }
}
