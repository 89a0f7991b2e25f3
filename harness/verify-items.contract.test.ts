/** Two witnesses of items, over a service that says of each of its two routes what a test wants. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import type { AccusedReader, Comparison, UserLog } from '#harness/engine/streams/messages.ts';
import { eventIdOf } from '#harness/target/event-ids.ts';
import { type ItemsVerified, verifyItems } from './verify-items.ts';

const run = 'abcdefghijkl';
const { acknowledged } = arrivalState;
// Arrival i is of device i, and so of user i mod 2.
const population = { accounts: 1, devices: 4, users: 2 };
const all = [0, 1, 2, 3];
let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

/** `listed`: arrivals whose changes the pages list, by how often the log of their user was read. `streamed`: what a listener gets. */
type Service = { readonly listed: (reading: number) => readonly number[]; readonly streamed: readonly number[]; readonly streamStatus?: number };

const change = (arrival: number) => ({ t: 'put', ch: 'sync:trips', k: `k${arrival}`, ver: 1, c: `c${arrival}`, d: { id: eventIdOf(run, arrival, 0) } });
const ofUser = (arrivals: readonly number[], user: number) => arrivals.filter((arrival) => arrival % 2 === user).map(change);

function tellStream({ streamed, streamStatus = 200 }: Service, user: number, { since, response }: { since: string; response: ServerResponse }): void {
  if (streamStatus !== 200) return void response.writeHead(streamStatus).end('broken');
  // One change an answer, so that a log is more than one.
  const left = ofUser(streamed, user).filter(({ c }) => since === '-1' || c > since);
  if (left[0] === undefined) return void response.writeHead(204, { 'sync-cursor': since }).end();
  response.writeHead(200, { 'sync-cursor': left[0].c }).end(`${JSON.stringify(left[0])}\n`);
}

async function serve(service: Service): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const readings = [0, 0];
  server = createServer(({ url = '', headers }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://service');
    const [user, since] = [Number(headers.authorization), searchParams.get('since') ?? ''];
    asked.push(pathname);
    if (pathname === '/v1/stream') return tellStream(service, user, { since, response });
    const reading = readings[user] ?? 0;
    readings[user] = reading + 1;
    response.end(JSON.stringify({ changes: ofUser(service.listed(reading), user), cursor: 'c9', up_to_date: true }));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const nobody: Comparison = { readers: 2, expected: 0, seen: 0, lost: 0, duplicated: 0, examples: [], accused: [] };
const countsOf = (logs: readonly UserLog[]): Readonly<Record<number, number>> => Object.fromEntries(logs.map(({ user, entries }) => [user, entries.length]));

/** A reader of each user that saw so many changes. */
const readers =
  (seen: readonly number[]) =>
  (logs: readonly UserLog[]): Promise<Comparison> => {
    const accused = Object.entries(countsOf(logs)).flatMap(([user, count]): readonly AccusedReader[] => {
      const missed = count - (seen[Number(user)] ?? 0);
      const one = { reader: 'phones', index: Number(user), user: Number(user), lost: Math.max(0, missed), duplicated: Math.max(0, -missed) };
      return missed === 0 ? [] : [one];
    });
    const sum = (kind: 'lost' | 'duplicated') => accused.reduce((total, one) => total + one[kind], 0);
    return Promise.resolve({ ...nobody, lost: sum('lost'), duplicated: sum('duplicated'), accused });
  };

async function verified(service: Service, compare: (logs: readonly UserLog[]) => Promise<Comparison>): Promise<ItemsVerified & { readonly asked: string[] }> {
  const { url, asked } = await serve(service);
  const told = await verifyItems({
    url,
    authorizations: ['0', '1'],
    channels: ['sync:trips'],
    audit: { run, states: Uint8Array.from(all, () => acknowledged), population, isItem: () => true },
    compare,
    cells: () => [],
    witness: { pauseMs: 0, budgetMs: 60_000 },
    timesOf: (arrival) => ({ plannedMs: arrival, sentMs: arrival + 1, acknowledgedMs: arrival + 2, status: 201 }),
  });
  return { ...told, asked };
}

test('what both routes miss is lost, and the evidence has times and the bytes of both answers', async () => {
  const there = [0, 1, 2];
  const { items, evidence } = await verified({ listed: () => there, streamed: there }, readers([2, 1]));
  expect(items).toMatchObject({ acknowledged: 4, lostFromLog: 1, lost: 0, duplicated: 0, logAlone: { lostFromLog: 0 } });
  expect(items.unconfirmed).toBeUndefined();
  const times = { plannedMs: 3, sentMs: 4, acknowledgedMs: 5, status: 201 };
  expect(evidence).toMatchObject([{ kind: 'lost-from-log', promised: 'write', eventId: eventIdOf(run, 3, 0), answer: { kind: 'confirmed' }, times }]);
  const [one] = evidence;
  for (const excerpts of [one?.logExcerpts, one?.streamExcerpts]) {
    expect(excerpts?.join()).toContain(eventIdOf(run, 1, 0));
    expect(excerpts?.join()).not.toContain(eventIdOf(run, 3, 0));
  }
});

test('a service whose pages were empty once is accused of nothing: neither its log nor its readers', async () => {
  const { items, evidence } = await verified({ listed: (reading) => (reading === 0 ? [] : all), streamed: all }, readers([2, 2]));
  expect(items).toMatchObject({ lostFromLog: 0, lost: 0, duplicated: 0, reordered: 0, examples: [], logAlone: { lostFromLog: 4, duplicated: 4 } });
  expect(items.incomplete ?? items.unconfirmed).toBeUndefined();
  expect(evidence.map(({ answer }) => answer.kind)).toEqual(Array.from({ length: 6 }, () => 'taken-back'));
});

test('a change that a page lists twice once is not there twice', async () => {
  const { items } = await verified({ listed: () => [0, 1, 2, 2, 3], streamed: all }, readers([2, 2]));
  expect(items).toMatchObject({ duplicated: 0, lost: 0, logAlone: { duplicated: 1, lost: 1 } });
});

test('a reader that lost a change by both readings of its log has lost it', async () => {
  const { items, evidence } = await verified({ listed: () => all, streamed: all }, readers([2, 1]));
  expect(items).toMatchObject({ lostFromLog: 0, lost: 1, duplicated: 0, logAlone: { lost: 0 } });
  expect(evidence).toMatchObject([{ kind: 'reader', reader: 'phones', index: 1, lost: 1, users: [`u-${run}-1`], answer: { kind: 'confirmed' } }]);
});

test('what could not be asked for as a listener gets it is told of nobody, and the reason says why', async () => {
  const { items } = await verified({ listed: () => [0, 1, 2], streamed: [], streamStatus: 500 }, readers([2, 2]));
  expect(items).toMatchObject({ lostFromLog: 0, duplicated: 0, unconfirmed: { lostFromLog: 1, duplicated: 1, why: expect.stringContaining('500') } });
});

test('nothing is asked where nothing is amiss', async () => {
  const { items, evidence, asked } = await verified({ listed: () => all, streamed: [] }, readers([2, 2]));
  expect(items).toMatchObject({ lostFromLog: 0, lost: 0, duplicated: 0, logAlone: { lostFromLog: 0 } });
  expect([evidence, asked.filter((path) => path === '/v1/stream')]).toEqual([[], []]);
});
