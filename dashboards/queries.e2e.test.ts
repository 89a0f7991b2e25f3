/** Every query of every board and rule, as a real Prometheus answers it that scrapes a real service. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Client, createClient } from '#harness/conformance/client.ts';
import { requirePart } from '#harness/parts/find.ts';
import { authorizeUser } from '#harness/topology/accounts.ts';
import { freePorts } from '#harness/topology/free-ports.ts';
import { type ScratchService, startScratchService } from '#harness/topology/scratch-service.ts';
import { openStream } from '#harness/topology/stream-reader.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import { alertingRules } from './alerting-rules.ts';
import { type Prometheus, startPrometheus } from './prometheus-process.ts';
import { filled, groupingsOf, selectionsOf } from './read-promql.ts';
import { recordingRules } from './recording-rules.ts';
import { boards } from './written-files.ts';

const everySeconds = 1;
/** Each sample of a rate needs two scrapes, and a recorded one an evaluation behind them. */
const window = `${everySeconds * 20}s`;
/** What comes from Prometheus and not from the service. */
const fromPrometheus = ['up'];
const ownLabels = ['job', 'instance'];

type Asked = { readonly where: string; readonly expr: string };
type Group = { readonly rules: readonly { readonly name: string; readonly health: string; readonly lastError?: string }[] };

const panelQueries: readonly Asked[] = boards.flatMap(({ uid, rows }) =>
  rows.flatMap(({ panels }) =>
    panels.flatMap(({ title, queries }) => queries.map(({ expr, legend }) => ({ where: `${uid}, ${title}, ${legend}`, expr: filled(expr, window) }))),
  ),
);
const ruleQueries: readonly Asked[] = [
  ...recordingRules.map(({ record, expr }) => ({ where: record, expr })),
  ...alertingRules.map(({ alert, expr }) => ({ where: alert, expr })),
];
const everyQuery = [...panelQueries, ...ruleQueries];

let scratch: ScratchService;
let client: Client;
let prometheus: Prometheus;
const stops: (() => unknown)[] = [];

beforeAll(async () => {
  const program = requirePart('prometheus');
  // Often enough that something is archived, and so seldom that a second batch in a second is one too many.
  scratch = await startScratchService({
    name: 'dashboards',
    twin: undefined,
    env: { HEADROOM_ARCHIVE_EVERY_MS: '1000', HEADROOM_DEVICE_INGEST_PER_SECOND: '2' },
  });
  stops.push(() => scratch.stop());
  client = createClient(() => scratch.service().url);
  stops.push(() => client.close());
  const [port] = (await freePorts(1)) as [number];
  prometheus = await startPrometheus({ program, port, target: new URL(scratch.service().url).host, everySeconds });
  stops.push(() => prometheus.stop());
  await drive();
  await scrapesToEnd();
});
afterAll(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const location = (id: string, data: object) => ({ id, type: 'location', recorded_at: new Date().toISOString(), data });

/** Of each kind: kept, filtered, duplicate, rejected, refused; an item that a stream tells of, and a stream that ends. */
async function drive(): Promise<void> {
  const [account] = scratch.accounts;
  const device = await client.device(account, 'd');
  const batch = [location('kept', { lat: 52, lon: 13, accuracy: 5 }), location('zero', { lat: 0, lon: 0, accuracy: 5 })];
  for (const events of [batch, batch, [batch[0], { id: 'no event' }], batch, batch, batch, batch, batch]) await client.send(device, events);
  const { url } = scratch.service();
  const authorization = await authorizeUser(url, account, 'u');
  const streams = [0, 1].map(() => openStream({ url: `${url}/v1/stream?ch=sync:trips`, authorization }));
  stops.push(() => streams[0]?.close());
  const tells = (kind: string) => vi.waitUntil(() => streams.every(({ frames }) => frames.some(({ t }) => t === kind)), { timeout: 120_000 });
  await tells('sync');
  const put = await client.call('PUT', '/v1/sync/trips/t1', { headers: { authorization, 'content-type': 'application/json' }, body: '{}' });
  expect(put.status).toBe(201);
  await tells('put');
  streams[1]?.close();
}

const answerOf = async (query: string): Promise<readonly unknown[]> => ((await prometheus.ask('query', { query })) as { result: unknown[] }).result;

/** The last of what happens is that what was kept is archived; behind it there were scrapes enough for rates, and for rules. */
async function scrapesToEnd(): Promise<void> {
  const isOver = `count_over_time((${metricNames.archivedEvents} > 0)[1m:${everySeconds}s]) > 3 and ${metricNames.eventsPending} == 0`;
  await vi.waitFor(async () => expect(await answerOf(isOver)).toHaveLength(1), { timeout: 120_000, interval: 500 });
}

test('every query of a panel is answered with data', async () => {
  const empty: string[] = [];
  for (const { where, expr } of panelQueries) {
    const answer = await answerOf(expr);
    if (answer.length === 0) empty.push(where);
  }
  expect(empty).toEqual([]);
});

test('every rule is evaluated without an error, and what is recorded is there', async () => {
  const { groups } = (await prometheus.ask('rules', {})) as { groups: readonly Group[] };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.map(({ name }) => name).sort()).toEqual(ruleQueries.map(({ where }) => where).sort());
  expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  for (const { record } of recordingRules) expect(await answerOf(record), record).toHaveLength(1);
  expect(await answerOf('ALERTS{alertstate="firing"}')).toEqual([]);
});

test('a query asks only for metrics that are there, and for labels that they have', async () => {
  const known = new Map<string, ReadonlySet<string>>();
  for (const series of (await prometheus.ask('series', { 'match[]': '{job="headroom"}' })) as Record<string, string>[])
    known.set(series.__name__ as string, new Set([...(known.get(series.__name__ as string) ?? ownLabels), ...Object.keys(series)]));
  for (const { where, expr } of everyQuery) {
    const asked = selectionsOf(expr).filter(({ metric }) => !fromPrometheus.includes(metric));
    const labels = new Set([...ownLabels, ...asked.flatMap(({ metric }) => [...(known.get(metric) ?? [])])]);
    for (const one of asked) {
      expect([...known.keys()], where).toContain(one.metric);
      expect(
        one.labels.filter((label) => !known.get(one.metric)?.has(label)),
        `${where}: labels that ${one.metric} does not have`,
      ).toEqual([]);
    }
    expect(
      groupingsOf(expr).filter((label) => !labels.has(label)),
      `${where}: groups by labels that nothing in it has`,
    ).toEqual([]);
  }
});

test('every legend names labels that its answer has', async () => {
  const legends = boards.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries)));
  for (const { expr, legend } of legends) {
    const answer = (await answerOf(filled(expr, window))) as readonly { metric: Record<string, string> }[];
    const wanted = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label as string);
    for (const { metric } of answer) expect(Object.keys(metric), `${legend} of ${expr}`).toEqual(expect.arrayContaining(wanted));
  }
});

test('Prometheus refuses a query that is wrong', async () => {
  await expect(answerOf(`rate(${metricNames.requests})`)).rejects.toThrow(/range vector/);
});
