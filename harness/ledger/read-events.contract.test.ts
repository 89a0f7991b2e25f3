/** Two witnesses, over a service that says of each of its two routes what a test wants. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { afterAcknowledged, arrivalState } from '#harness/engine/engine.ts';
import { Audit, type AuditInput } from './audit.ts';
import { type EventsRead, type PlanBook, readEvents } from './read-events.ts';

const { acknowledged, refused, unknown } = arrivalState;
const devices = 2;
const later = acknowledged | afterAcknowledged;
let server: Server | undefined;
afterEach(() => server?.close());

type Trouble = 'hangs' | 'refuses' | 'breaks' | 'cuts' | 'garbles' | 'repeats itself';
type Service = {
  readonly exported: readonly string[];
  /** Of the same events, by device; without it as the export has them. */
  readonly history?: readonly string[];
  readonly troubles?: readonly (Trouble | undefined)[];
  readonly exportBreaks?: boolean;
  readonly pageMax?: number;
};

const deviceOf = (id: string): number => Number(id.split('-')[1]) % devices;

function tellExport({ exported, exportBreaks = false }: Service, url: URL, response: ServerResponse): void {
  const from = Number(url.searchParams.get('after') ?? 0);
  if (exportBreaks && from > 0) return void response.writeHead(500).end('broken');
  const page = exported.slice(from, from + 2);
  response.writeHead(200, { 'export-cursor': String(from + page.length) });
  response.end(page.map((id, i) => `${JSON.stringify({ id, position: String(from + i) })}\n`).join(''));
}

function tellHistory({ exported, history = exported, troubles = [], pageMax = 1000 }: Service, url: URL, response: ServerResponse): void {
  const device = Number(url.pathname.split('/')[3]);
  const trouble = troubles[device];
  const from = Number(url.searchParams.get('pagination_token') ?? 0);
  if (trouble === 'hangs') return;
  if (trouble === 'refuses') return void response.writeHead(503, { 'retry-after': '0' }).end('busy');
  if (trouble === 'breaks') return void response.writeHead(500).end('broken');
  if (trouble === 'cuts') return void response.destroy();
  if (trouble === 'garbles') return void response.writeHead(200).end('{"event');
  const own = history.flatMap((id, i) => (deviceOf(id) === device ? [{ id, position: String(i) }] : []));
  const next = trouble === 'repeats itself' ? '0' : from + pageMax < own.length ? String(from + pageMax) : undefined;
  response.writeHead(200).end(JSON.stringify({ events: own.slice(from, from + pageMax), pagination_token: next }));
}

async function serve(service: Service): Promise<{ readonly url: string; readonly asked: string[] }> {
  server?.close();
  const asked: string[] = [];
  server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://x');
    asked.push(url.pathname);
    if (url.pathname === '/v1/export') tellExport(service, url, response);
    else tellHistory(service, url, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function bookOf(states: readonly number[]): PlanBook {
  const input: AuditInput = {
    states: Uint8Array.from(states),
    devices,
    eventsPerBatch: 1,
    isOrdered: () => true,
    parseEventId: (id) => ({ arrival: Number(id.split('-')[1]), index: 0 }),
    eventIdOf: (arrival) => `e-${arrival}`,
  };
  return {
    first: new Audit(input),
    again: () => new Audit(input),
    ownerOf: (arrival) => ({ deviceId: String(arrival % devices), authorization: 'x' }),
    neighboursOf: (arrival) => [`e-${arrival - devices}`, `e-${arrival + devices}`],
    isOwn: () => true,
    timesOf: (arrival) => ({ plannedMs: arrival * 10 }),
  };
}

async function read(states: readonly number[], service: Service, budgetMs = 60_000): Promise<EventsRead & { readonly asked: readonly string[] }> {
  const { url, asked } = await serve(service);
  const witness = { pauseMs: 0, budgetMs };
  const told = await readEvents({ url, accounts: [{ authorization: 'x' }], run: bookOf(states), probe: undefined, budgetMs: 60_000, witness });
  return { ...told, asked };
}

test('what both routes miss is lost, and the evidence has the bytes of both around it', async () => {
  const there = ['e-0', 'e-1', 'e-2', 'e-4', 'e-5'];
  const { ledger, evidence } = await read(
    Array.from({ length: 6 }, () => acknowledged),
    { exported: there },
  );
  expect(ledger).toMatchObject({ acknowledged: 6, lost: 1, exportAlone: { lost: 0 }, examples: [{ kind: 'lost', eventId: 'e-3' }] });
  expect(ledger.unconfirmed).toBeUndefined();
  expect(evidence).toMatchObject([{ kind: 'lost', eventId: 'e-3', deviceId: '1', times: { plannedMs: 30 }, answer: { kind: 'confirmed' } }]);
  expect(evidence[0]?.exportLines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['e-1', 'e-5']);
  expect(evidence[0]?.historyExcerpt).toContain('"e-1"');
});

test('what history has is not lost, on whatever page: the export did not list it', async () => {
  const all = Array.from({ length: 10 }, (_, i) => `e-${i}`);
  const exported = all.filter((id) => id !== 'e-1' && id !== 'e-9');
  const { ledger, evidence } = await read(
    Array.from({ length: 10 }, () => acknowledged),
    { exported, history: all, pageMax: 2 },
  );
  expect(ledger).toMatchObject({ lost: 0, exportAlone: { lost: 2, duplicated: 0, reordered: 0 }, examples: [] });
  expect(evidence.map(({ answer }) => answer.kind)).toEqual(['taken-back', 'taken-back']);
});

test('twice there and out of order need both routes too', async () => {
  const states = [acknowledged, acknowledged, later, later];
  const order = ['e-2', 'e-0', 'e-1', 'e-3', 'e-3'];
  const both = await read(states, { exported: order });
  expect(both.ledger).toMatchObject({ lost: 0, duplicated: 1, reordered: 1, exportAlone: { duplicated: 0, reordered: 0 } });
  expect(both.evidence.find(({ kind }) => kind === 'duplicated')?.exportLines.filter((line) => line.includes('"e-3"'))).toHaveLength(2);
  const alone = await read(states, { exported: order, history: ['e-0', 'e-1', 'e-2', 'e-3'] });
  expect(alone.ledger).toMatchObject({ duplicated: 0, reordered: 0, exportAlone: { duplicated: 1, reordered: 1 }, examples: [] });
});

test.each<[Trouble, RegExp]>([
  ['refuses', /503/],
  ['breaks', /500/],
  ['cuts', /./],
  ['garbles', /JSON/],
  ['repeats itself', /second time/],
])('a history that %s confirms nothing, and the reason says why', async (trouble, why) => {
  const { ledger } = await read([acknowledged, acknowledged, acknowledged], { exported: [], troubles: [undefined, trouble] });
  expect(ledger).toMatchObject({ lost: 2, exportAlone: { lost: 0 }, unconfirmed: { lost: 1, duplicated: 0, reordered: 0 } });
  expect(ledger.unconfirmed?.why).toMatch(why);
});

test('what is not answered within the budget is not confirmed', async () => {
  const { ledger } = await read([acknowledged], { exported: [], troubles: ['hangs'] }, 20);
  expect(ledger).toMatchObject({ lost: 0, unconfirmed: { lost: 1, why: expect.stringContaining('within 0.02 s') } });
});

test('an export that was not read to its end accuses nobody, and nobody is asked', async () => {
  const { ledger, asked } = await read([acknowledged, acknowledged, acknowledged], { exported: ['e-0', 'e-0', 'e-1'], exportBreaks: true });
  expect(ledger).toMatchObject({ lost: 0, duplicated: 0, incomplete: expect.stringContaining('500') });
  expect(asked.filter((path) => path !== '/v1/export')).toEqual([]);
});

test('nothing is asked where nothing is amiss', async () => {
  const { ledger, evidence, asked } = await read([acknowledged, refused, unknown], { exported: ['e-0'] });
  expect(ledger).toMatchObject({ lost: 0, exportAlone: { lost: 0, duplicated: 0, reordered: 0 } });
  expect([evidence, asked.filter((path) => path !== '/v1/export')]).toEqual([[], []]);
});

test('whatever the export leaves out and the histories do not tell, a service that has everything in order has lost nothing', async () => {
  const states = fc.array(fc.constantFrom(acknowledged, later, unknown, refused), { minLength: 1, maxLength: 12 });
  const trouble = fc.constantFrom<Trouble | undefined>(undefined, undefined, 'breaks', 'garbles', 'repeats itself');
  await fc.assert(
    fc.asyncProperty(states, fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }), fc.tuple(trouble, trouble), async (kept, copies, troubles) => {
      const history = kept.flatMap((state, i) => (state === refused ? [] : [`e-${i}`]));
      // Each event is left out, listed once or twice, and anywhere.
      const exported = history
        .flatMap((id, i) => Array.from({ length: Math.min(2, copies[i] ?? 0) }, () => id))
        .toSorted((a, b) => (copies[deviceOf(a)] ?? 0) - (copies[deviceOf(b)] ?? 0));
      const { ledger } = await read(kept, { exported, history, troubles });
      expect(ledger).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, examples: [] });
    }),
    { numRuns: 40 },
  );
});
