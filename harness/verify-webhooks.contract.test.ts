/** Two readings of a service's webhooks, over a service that says at each what a test wants. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import { launchedDeviceOf } from '#harness/target/storm-operations.ts';
import type { RunEndpoint } from './drive-webhooks.ts';
import { registeredType } from './scenario-webhooks.ts';
import { verifyWebhooks, type WebhooksVerified } from './verify-webhooks.ts';

const run = '0123456789ab';
const { acknowledged } = arrivalState;
const due = [0, 1, 2];
const account = { account_id: 'acc', secret: 's3cret', publishable_key: 'pk' };
let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

type Listed = Readonly<Record<string, string>>;
/** `listed`: states by event, at each reading of the deliveries; the last one stays. */
type Service = { readonly listed: readonly Listed[] };

async function serve({ listed }: Service): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  let reading = 0;
  server = createServer(({ url = '' }, response) => {
    const { pathname } = new URL(url, 'http://service');
    asked.push(pathname);
    if (pathname.startsWith('/v1/devices/')) return void response.end(JSON.stringify({ device_id: pathname.split('/')[3] }));
    if (!pathname.endsWith('/deliveries')) return void response.end(JSON.stringify({ state: 'active', dropped: 0, waiting: 0 }));
    const said = listed[Math.min(reading++, listed.length - 1)] as Listed;
    response.end(JSON.stringify({ deliveries: Object.entries(said).map(([event_id, state]) => ({ event_id, type: registeredType, state })) }));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

type Told = { readonly takesAll: boolean; readonly came: readonly (readonly [arrival: number, accepted: number])[] };

async function verified(service: Service, { takesAll, came }: Told): Promise<WebhooksVerified & { readonly asked: readonly string[] }> {
  const { url, asked } = await serve(service);
  const endpoint = { account, url: 'http://receiver', types: [registeredType], id: 'wh_1', receiver: 'phones', accountIndex: 0, takesAll, path: '/' };
  const arrivals = {
    ids: came.map(([arrival]) => `evt_${arrival}`),
    devices: came.map(([arrival]) => launchedDeviceOf(run, arrival)),
    accepted: came.map(([, accepted]) => accepted),
  };
  const told = await verifyWebhooks({
    url,
    webhooks: { endpoints: [endpoint as RunEndpoint], arrivals: (asks) => Promise.resolve(asks.map(() => arrivals)) },
    audit: { run, states: Uint8Array.from(due, () => acknowledged), firstArrivals: [0, due.length], devices: due.length, accounts: 1 },
    view: { progress: () => undefined },
    // Nobody waits for what does not come.
    signal: AbortSignal.abort(),
    arriveMsMax: 0,
    pauseMs: 0,
    timesOf: (arrival) => ({ plannedMs: arrival, sentMs: arrival + 1, acknowledgedMs: arrival + 2, status: 201 }),
  });
  return { ...told, asked };
}

const states = (state: string, arrivals: readonly number[] = due): Listed => Object.fromEntries(arrivals.map((arrival) => [`evt_${arrival}`, state]));
const hangs: Told = { takesAll: false, came: [[0, 0]] };

test('what a receiver never had and the service never accounts for is lost, and the evidence has both answers', async () => {
  const { ledger, evidence } = await verified({ listed: [states('waiting', [0])] }, hangs);
  expect(ledger.incomplete).toBeUndefined();
  expect(ledger.receivers).toMatchObject([{ receiver: 'phones', lost: 2 }]);
  expect(evidence).toMatchObject([
    { kind: 'lost', receiver: 'phones', deliveriesExcerpts: [expect.stringContaining('evt_0'), expect.stringContaining('evt_0')] },
  ]);
});

test('a registration of which nobody was told has its device, its times and what the service says of the device', async () => {
  const { ledger, evidence } = await verified(
    { listed: [states('delivered', [0, 1])] },
    { takesAll: true, came: due.slice(0, 2).map((arrival) => [arrival, 1]) },
  );
  expect(ledger.receivers).toMatchObject([{ lost: 1 }]);
  const device = launchedDeviceOf(run, 2);
  const times = { plannedMs: 2, sentMs: 3, acknowledgedMs: 4, status: 201 };
  expect(evidence).toMatchObject([{ kind: 'lost', deviceId: device, times, device: `200 {"device_id":"${device}"}` }]);
  // Neither a request nor a secret stands in it.
  expect(JSON.stringify(evidence)).not.toContain(account.secret);
});

test.each<[string, readonly Listed[]]>([
  ['first', [{}, states('waiting')]],
  ['second', [states('waiting'), {}]],
  ['first, and half of the other is missing', [states('waiting', [0]), states('waiting', [1, 2])]],
])('a page that was empty once, the %s, accuses nobody', async (_, listed) => {
  const { ledger, evidence } = await verified({ listed }, hangs);
  expect(ledger.receivers).toMatchObject([{ lost: 0 }]);
  expect([ledger.examples, evidence]).toEqual([[], []]);
});

test('what is called delivered once, and otherwise then, is not lost; what is so both times is', async () => {
  const once = await verified({ listed: [states('delivered'), states('waiting')] }, hangs);
  expect(once.ledger.receivers).toMatchObject([{ lost: 0 }]);
  server?.close();
  const twice = await verified({ listed: [states('delivered')] }, hangs);
  expect(twice.ledger.receivers).toMatchObject([{ lost: 3 }]);
  expect(twice.evidence.map(({ eventId }) => eventId)).toEqual(['evt_0', 'evt_1', 'evt_2']);
});

test('nothing is read again where nothing is amiss', async () => {
  const { asked } = await verified({ listed: [states('waiting')] }, hangs);
  expect(asked.filter((path) => path.endsWith('/deliveries'))).toHaveLength(1);
});
