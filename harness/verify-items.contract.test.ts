import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import { eventIdOf } from '#harness/target/event-ids.ts';
import { verifyItems } from './verify-items.ts';

const run = 'abcdefghijkl';
const { acknowledged } = arrivalState;
const states = Uint8Array.from([acknowledged, acknowledged]);
const put = (arrival: number) => ({ t: 'put', ch: 'sync:trips', k: `k${arrival}`, c: `c${arrival}`, d: { id: eventIdOf(run, arrival, 0) } });

type Answer = { readonly status?: number; readonly arrivals: readonly number[] };

/** Two writes of one user; the service answers each reading of its log as it is told. */
async function verified(...readings: readonly [Answer, ...Answer[]]) {
  let reading = 0;
  const server = createServer((_, response) => {
    const { status = 200, arrivals } = readings[Math.min(reading++, readings.length - 1)] as Answer;
    response.statusCode = status;
    response.end(JSON.stringify({ changes: arrivals.map(put), cursor: 'end', up_to_date: true }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const ledger = await verifyItems({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      authorizations: ['Bearer u'],
      channels: ['sync:trips'],
      audit: { run, states, population: { accounts: 1, devices: 2, users: 1 }, isItem: () => true },
      compare: async () => ({ readers: 1, expected: 2, seen: 2, lost: 0, duplicated: 0, examples: [] }),
      cells: () => [],
      pauseMs: 0,
    });
    return { ledger, reading };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test('a log that says nothing against the service is read once', async () => {
  const { ledger, reading } = await verified({ arrivals: [0, 1] });
  expect(ledger).toMatchObject({ acknowledged: 2, lostFromLog: 0, takenBack: 0 });
  expect(reading).toBe(1);
});

test('what two readings miss is lost, and named', async () => {
  const { ledger, reading } = await verified({ arrivals: [0] }, { arrivals: [0] });
  expect(ledger).toMatchObject({ lostFromLog: 1, takenBack: 0, examples: [{ text: expect.stringContaining('arrival 1') }] });
  expect(reading).toBe(2);
});

test.each([
  ['misses', { arrivals: [0] }, { lostFromLog: 0 }],
  ['has twice', { arrivals: [0, 0, 1] }, { duplicated: 0 }],
])('what one reading %s and the other does not is no accusation, and is said', async (_, first, counts) => {
  const { ledger } = await verified(first, { arrivals: [0, 1] });
  expect(ledger).toMatchObject({ ...counts, takenBack: 1, examples: [] });
  expect(ledger.incomplete).toBeUndefined();
});

test('where the second reading fails nobody is accused, and the ledger says why it is not whole', async () => {
  const { ledger } = await verified({ arrivals: [0] }, { status: 500, arrivals: [] });
  expect(ledger).toMatchObject({ acknowledged: 2, lostFromLog: 0, incomplete: expect.stringContaining('answered 500') });
});
