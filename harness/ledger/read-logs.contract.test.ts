import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { readLogs } from './read-logs.ts';

/** Reads one user's one channel from a service whose pages are these. */
async function read(pageAfter: (since: string) => object, budgetMs: number): Promise<readonly string[]> {
  const server = createServer(({ url }, response) => {
    const since = new URL(url ?? '', 'http://service').searchParams.get('since') ?? '';
    response.end(JSON.stringify(pageAfter(since)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const logs = await readLogs({ url, authorizations: ['x'], users: [0], channels: ['sync:items'], budgetMs });
    return (logs.get(0) ?? []).map(({ c }) => c);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const change = (c: string) => ({ t: 'put', ch: 'sync:items', k: c, c });

test('page by page, in the order of cursors', async () => {
  const pages: Readonly<Record<string, object>> = {
    '-1': { changes: [change('b')], cursor: 'b', up_to_date: false },
    b: { changes: [change('c')], cursor: 'c', up_to_date: true },
  };
  expect(await read((since) => pages[since] as object, 5000)).toEqual(['b', 'c']);
});

test('a cursor that stands still before the log’s end is said, and not read for ever', async () => {
  await expect(read(() => ({ changes: [], cursor: 'b', up_to_date: false }), 5000)).rejects.toThrow('its own cursor b again');
});

test('a log without an end is read no longer than the budget', async () => {
  const next = (since: string) => ({ changes: [], cursor: String(Number(since) + 1), up_to_date: false });
  await expect(read(next, 100)).rejects.toThrow('were not read within 0.1 s');
});
