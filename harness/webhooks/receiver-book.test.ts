import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { timesOf } from '#harness/metrics/fold.ts';
import { WebhookFold } from '#harness/metrics/fold-webhooks.ts';
import { countOf, quantileMicros } from '#harness/metrics/histogram.ts';
import type { WebhookReaction } from '#harness/scenario.ts';
import type { Hit } from './receiver.ts';
import { ReceiverBook } from './receiver-book.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const originWallMs = Date.UTC(2026, 0, 1);

type Told = {
  readonly id?: string;
  readonly atMs?: number;
  readonly happenedMs?: number;
  readonly type?: string;
  readonly path?: string;
  readonly key?: string;
};
function hitOf({ id = 'evt_1', atMs = 0, happenedMs = atMs, type = 'device.registered', path = '/good', key = secret }: Told): Hit {
  const data = { device_id: 'd-1', challenge: 'c', confirm_url: 'http://service/confirm' };
  const body = JSON.stringify({ type, timestamp: new Date(originWallMs + happenedMs).toISOString(), data });
  const signed = new Date(originWallMs + atMs);
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(signed.getTime() / 1000)),
    'webhook-signature': new Webhook(key).sign(id, signed, body),
  };
  return { path, headers, body, id, type, data, atMs, wallMs: originWallMs + atMs };
}

function bookOf(reaction: WebhookReaction = { kind: 'ok' }, touched = false) {
  const clock = { ms: 0 };
  const book = new ReceiverBook();
  book.serve([
    { path: '/good', receiver: 'good', reaction, confirmsBy: 'echo' },
    { path: '/visited', receiver: 'visited', reaction, confirmsBy: 'visit' },
  ]);
  book.expect('/good', secret);
  book.begin({ nowMs: () => clock.ms, originWallMs, touched: () => touched });
  book.phase(0, 0);
  book.phase(1, 5000);
  const fold = new WebhookFold();
  return {
    book,
    tell: (told: Told) => {
      clock.ms = told.atMs ?? clock.ms;
      return book.attempt(hitOf({ atMs: clock.ms, ...told }));
    },
    cells: () => {
      fold.add({ cells: book.take() });
      return fold.cells();
    },
  };
}

test('an event is counted where it happened, its attempts where they came, and the first of them says how late it was', () => {
  const { tell, cells } = bookOf();
  tell({ atMs: 4900, happenedMs: 4500 })(false);
  tell({ atMs: 6100, happenedMs: 4500 })(true);
  const [early, late] = cells();
  expect(early).toMatchObject({ second: 4, phase: 0, counts: { attempts: 1, deliveries: 1, repeated: 0, accepted: 0 } });
  expect(late).toMatchObject({ second: 6, phase: 1, counts: { attempts: 1, deliveries: 0, repeated: 1, accepted: 1 }, times: {} });
  const delay = timesOf(cells(), 'delay');
  expect([countOf(delay), Math.round((quantileMicros(delay, 1) ?? 0) / 10_000)]).toEqual([1, 40]);
});

test('what the receiver’s own stop touched is kept apart', () => {
  const { tell, cells } = bookOf({ kind: 'ok' }, true);
  tell({ atMs: 900, happenedMs: 500 });
  expect(cells()[0]?.times.delay).toMatchObject({ clean: { index: [] }, spoiled: { count: [1] } });
});

test('attempts that are there at once are counted by endpoint, until they are over', () => {
  const { tell, cells } = bookOf();
  const first = tell({ id: 'a', atMs: 100 });
  tell({ id: 'b', atMs: 200 });
  tell({ id: 'c', atMs: 300, path: '/visited' });
  first(true);
  tell({ id: 'd', atMs: 400 });
  expect(cells().map(({ receiver, openMax }) => [receiver, openMax])).toEqual([
    ['good', 2],
    ['visited', 1],
  ]);
});

test('an attempt that another secret signed is unsigned, and so is every one of an endpoint whose secret nobody gave', () => {
  const { tell, cells } = bookOf();
  tell({ id: 'a' });
  tell({ id: 'b', key: `whsec_${Buffer.alloc(32, 8).toString('base64')}` });
  tell({ id: 'c', path: '/visited' });
  expect(cells().map(({ receiver, counts }) => [receiver, counts.unsigned])).toEqual([
    ['good', 1],
    ['visited', 1],
  ]);
});

test('what arrived is told by type, each id once, with how often it was accepted', () => {
  const { book, tell } = bookOf();
  for (const accepted of [false, true, true]) tell({ id: 'a' })(accepted);
  tell({ id: 'b' });
  tell({ id: 'c', type: 'device.online' });
  expect(book.arrivals('/good', 'device.registered')).toEqual({ ids: ['a', 'b'], devices: ['d-1', 'd-1'], accepted: [2, 0] });
  expect(book.arrivals('/other', 'device.registered')).toEqual({ ids: [], devices: [], accepted: [] });
});

test('a handshake is echoed or asks for a visit, and is no attempt', () => {
  const { book, tell, cells } = bookOf({ kind: 'hang' });
  const shake = hitOf({ type: 'webhook.confirmation' });
  tell({ type: 'webhook.confirmation' })(true);
  expect([book.reactionTo(shake), book.visitOf(shake)]).toEqual([{ kind: 'echo' }, undefined]);
  const visited = { ...shake, path: '/visited' };
  expect([book.reactionTo(visited), book.visitOf(visited)]).toEqual([{ kind: 'answer', status: 200 }, 'http://service/confirm']);
  expect(book.visitOf(hitOf({ path: '/visited' }))).toBeUndefined();
  expect(cells()).toEqual([]);
});

test.each<[WebhookReaction, object, object]>([
  [{ kind: 'ok' }, { status: 200 }, { status: 200 }],
  [
    { kind: 'slow', ms: 700 },
    { status: 200, afterMs: 700 },
    { status: 200, afterMs: 700 },
  ],
  [{ kind: 'hang' }, { kind: 'hang' }, { kind: 'hang' }],
  [{ kind: 'cut' }, { kind: 'cut' }, { kind: 'cut' }],
  [{ kind: 'status', status: 429, retryAfterSeconds: 3 }, { status: 429, headers: { 'retry-after': '3' } }, { status: 429 }],
  [{ kind: 'recovers', afterSeconds: 2 }, { status: 503 }, { status: 200 }],
])('%o at first and two seconds later', (reaction, first, later) => {
  const { book, tell } = bookOf(reaction);
  tell({ atMs: 1999 });
  expect(book.reactionTo(hitOf({}))).toMatchObject(first);
  tell({ atMs: 2000 });
  expect(book.reactionTo(hitOf({}))).toMatchObject(later);
});
