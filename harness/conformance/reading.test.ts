import { expect, test } from 'vitest';
import type { Answer, Client } from './client.ts';
import { readExport, readHistory } from './reading.ts';

const account = { account_id: 'a', secret: 's', publishable_key: 'p' };
const sender = { device: 'd', authorization: 'x' };

/** A service that answers one page after the other, and counts what it was asked. */
function servicing(pageOf: (i: number) => Answer): { readonly client: Client; readonly asked: readonly string[] } {
  const asked: string[] = [];
  const call: Client['call'] = async (_, path) => {
    // Without a bound of the reader's own the test would never end.
    if (asked.length > 20_000) throw new Error('it reads for ever');
    return pageOf(asked.push(path) - 1);
  };
  return { client: { call } as Client, asked };
}

const line = (id: number): string => `${JSON.stringify({ id: `e${id}` })}\n`;
const exported = (text: string, cursor: string | undefined): Answer => ({ status: 200, text, json: undefined, header: () => cursor });
const historical = (id: number, token: unknown): Answer => {
  const json = { events: [{ id: `e${id}` }], ...(token === undefined ? {} : { pagination_token: token }) };
  return { status: 200, json, text: JSON.stringify(json), header: () => undefined };
};

test('pages are joined until the last', async () => {
  const history = servicing((i) => historical(i, i < 2 ? `t${i}` : undefined));
  expect((await readHistory(history.client, sender, 'limit=1')).map(({ id }) => id)).toEqual(['e0', 'e1', 'e2']);
  expect(history.asked.at(-1)).toBe('/v1/devices/d/history?limit=1&pagination_token=t1');
  const log = servicing((i) => exported(i < 2 ? line(i) : '', `c${i}`));
  expect((await readExport(log.client, account)).map(({ id }) => id)).toEqual(['e0', 'e1']);
  expect(log.asked).toEqual(['/v1/export', '/v1/export?after=c0', '/v1/export?after=c1']);
});

test.each([
  ['stands still', () => exported(line(1), 'same'), /a cursor of the export that goes on/],
  ['goes round', (i: number) => exported(line(i), `c${i % 3}`), /a cursor of the export that goes on/],
  ['is missing', () => exported(line(1), undefined), /an Export-Cursor/],
  ['never ends', (i: number) => exported(line(i), `c${i}`), /an end of the export within/],
] as const)('an export whose cursor %s breaks the rule that reads it', async (_, pageOf, sentence) => {
  await expect(readExport(servicing(pageOf).client, account)).rejects.toThrow(sentence);
});

test.each([
  ['stands still', () => historical(1, 'same'), /a cursor of history that goes on/],
  ['is a number', () => historical(1, 7), /a pagination_token that is a string/],
] as const)('a history whose token %s breaks the rule that reads it', async (_, pageOf, sentence) => {
  await expect(readHistory(servicing(pageOf).client, sender)).rejects.toThrow(sentence);
});
