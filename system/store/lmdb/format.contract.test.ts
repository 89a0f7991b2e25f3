import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTokens } from '#system/accounts/tokens.ts';
import { buildApp } from '#system/app.ts';
import { type Clock, systemClock } from '#system/clock.ts';
import { depsAlone } from '#system/deps-alone.ts';
import type { MachineClock } from '#system/store/store-time.ts';
import { restoreBackup } from './backup.ts';
import { dataFile } from './data-file.ts';
import { openDirectStore } from './direct-store.ts';
import { dataFormat } from './format.ts';
import { batch, type Fixture, fixtureNames, pathsOf, readFixture, unpackData, unpackFixture } from './formats/fixture.ts';
import { openLmdbStore } from './lmdb-store.ts';
import { openTables, readRow, writeRow } from './tables.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'format-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = () => openLmdbStore({ folder, flushTimeoutMs: 10_000, dedupeHours: 24, durability: 'fsync' });
async function formatOf(at: string, change?: number | null): Promise<unknown> {
  const tables = openTables(at, false);
  if (change === null) tables.rows.removeSync(Buffer.from('format'));
  else if (change !== undefined) writeRow(tables.rows, 'format', change);
  const format = readRow<number>(tables.rows, 'format');
  await tables.root.close();
  return format;
}

it('data and backups carry their number, and data without one get theirs', async () => {
  const store = await open();
  await store.backup?.(join(folder, 'copy'));
  await store.close();
  expect([await formatOf(folder), await formatOf(join(folder, 'copy'))]).toEqual([dataFormat, dataFormat]);
  await formatOf(folder, null);
  await (await open()).close();
  expect(await formatOf(folder)).toBe(dataFormat);
});

it('data of a version that is not known yet are refused with a sentence, and left as they are', async () => {
  await (await open()).close();
  await formatOf(folder, dataFormat + 1);
  await expect(open()).rejects.toMatchObject({ trouble: 'corrupt', message: expect.stringMatching(/format 3, .* start the version that wrote them/) });
  expect(await formatOf(folder)).toBe(dataFormat + 1);
});

it('a backup of a format that is not known yet is not restored, and leaves nothing behind', async () => {
  const store = await open();
  const [backup, to] = [join(folder, 'backup'), join(folder, 'restored')];
  await store.backup?.(backup);
  await store.close();
  await formatOf(backup, dataFormat + 1);
  await expect(restoreBackup({ from: backup, to })).rejects.toThrow(/format 3, .* start the version that wrote them/);
  expect(readdirSync(to)).toEqual([]);
});

it('data from before format 1 are refused with a sentence, as data and as a backup, and are left as they are', async () => {
  const [data, to] = [join(folder, 'data'), join(folder, 'restored')];
  unpackData('before-1', join(data, dataFile));
  const before = readFileSync(join(data, dataFile));
  const sentence = /older than format 1, .* start the version that wrote them, read its export/;
  await expect(openLmdbStore({ folder: data, flushTimeoutMs: 10_000, dedupeHours: 24, durability: 'fsync' })).rejects.toMatchObject({
    trouble: 'corrupt',
    message: expect.stringMatching(sentence),
  });
  expect(readFileSync(join(data, dataFile)).equals(before)).toBe(true);
  await expect(restoreBackup({ from: data, to })).rejects.toThrow(sentence);
  expect(readdirSync(to)).toEqual([]);
});

it('every format up to today’s has a fixture', () => {
  expect(fixtureNames().toSorted()).toEqual(Array.from({ length: dataFormat }, (_, i) => `${i + 1}`));
});

type Got = { readonly status: number; readonly text: string; readonly header: (name: string) => unknown };

/** The service over data of a fixture, on a machine that has never seen them, whose clocks stand a second behind its last event. */
async function serve(data: string, { account, answers }: Fixture) {
  const receivedAt = /"received_at":"([^"]+)"/.exec(answers['/v1/export'] ?? '')?.[1] ?? '';
  const machine: MachineClock = { boot: 'another', uptimeMs: () => 0, wallMs: () => Date.parse(receivedAt) + 1000 };
  const tables = openTables(data, false);
  const store = openDirectStore(tables, { folder: data, dedupeHours: 24, durability: 'fsync' }, { machine });
  const clock: Clock = { ...systemClock, wallMs: machine.wallMs, storeMs: store.storeMs };
  const tokens = createTokens({ key: await store.settle({ name: 'signing-key', candidate: 'none' }), clock });
  const app = await buildApp(depsAlone({ store, clock, tokens }));
  const ask = async (method: 'GET' | 'POST' | 'PUT', url: string, authorization: string, more: { payload?: unknown; headers?: object } = {}): Promise<Got> => {
    const headers = { authorization, accept: 'application/x-ndjson, application/json', 'content-type': 'application/json', ...more.headers };
    const payload = more.payload === undefined ? {} : { payload: more.payload as object | string };
    const { statusCode, body, headers: got } = await app.inject({ method, url, headers, ...payload });
    return { status: statusCode, text: body, header: (name) => got[name] };
  };
  const owner = `Basic ${Buffer.from(`${account.account_id}:${account.secret}`).toString('base64')}`;
  const tokenOf = ({ text }: Got): string => `Bearer ${(JSON.parse(text) as { access_token: string }).access_token}`;
  const user = tokenOf(await ask('POST', '/v1/tokens', owner, { payload: { user: 'ann', scopes: ['ch:*'] } }));
  const close = async (): Promise<void> => {
    await app.close();
    await store.close();
    await tables.root.close();
  };
  return { store, ask, owner, user, tokenOf, close };
}

/** What is shown by how far the wall clock is from the store's time, which another machine does not know. */
const withoutShownTimes = (text: string): string => text.replace(/"(since|confirm_until)":"[^"]*"/g, '"$1":""');

describe.each(fixtureNames())('data of format %s', (name) => {
  const fixture = readFixture(name);
  let data: string;
  let service: Awaited<ReturnType<typeof serve>>;
  beforeEach(async () => {
    data = join(folder, 'data');
    unpackFixture(name, join(data, dataFile));
    service = await serve(data, fixture);
  });
  afterEach(() => service.close());

  it('are read as the version read them that wrote them', async () => {
    for (const { path, as } of pathsOf) {
      const { status, text } = await service.ask('GET', path, as === 'owner' ? service.owner : service.user);
      expect([path, status, withoutShownTimes(text)]).toEqual([path, 200, withoutShownTimes(fixture.answers[path] ?? 'none')]);
    }
  });

  it('are gone on with: what was there is known again, and what is new comes behind it', async () => {
    const { ask, owner, user, tokenOf } = service;
    const publishable = `Basic ${Buffer.from(`${fixture.account.publishable_key}:`).toString('base64')}`;
    const device = tokenOf(await ask('POST', '/v1/authenticate', publishable, { payload: { device_id: 'phone', device_secret: fixture.deviceSecret } }));
    const replayed = await ask('POST', '/v1/events', device, { payload: batch, headers: { 'idempotency-key': 'fixture' } });
    expect(replayed).toMatchObject({ status: 202, text: fixture.receipt });
    expect(JSON.parse((await ask('POST', '/v1/events', device, { payload: batch })).text)).toMatchObject({ accepted: 0, duplicate: 3 });
    const news = [{ id: 'new', type: 'activity', recorded_at: '2026-11-25T11:00:00Z', data: {} }];
    expect(JSON.parse((await ask('POST', '/v1/events', device, { payload: news })).text)).toMatchObject({ accepted: 1 });
    const lines = (await ask('GET', '/v1/export', owner)).text.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['e1', 'e2', 'e3', 'new']);
    const changed = await ask('PUT', '/v1/sync/trips/t1', user, { payload: { n: 3 }, headers: { 'if-match': '"v2"' } });
    expect([changed.status, changed.header('etag')]).toEqual([200, '"v3"']);
    const { cursor } = JSON.parse(fixture.answers['/v1/sync/trips'] ?? '') as { cursor: string };
    const { changes } = JSON.parse((await ask('GET', `/v1/sync/trips?since=${cursor}`, user)).text) as { changes: object[] };
    expect(changes).toMatchObject([{ k: 't1', ver: 3, d: { n: 3 } }]);
    expect((await ask('PUT', '/v1/devices/gone', owner, { payload: { platform: 'ios', app_version: '1.0' } })).status).toBe(409);
  });

  it('say once that they are of another format now, if they were, and carry today’s number in every backup', async () => {
    const said = Number(name) === dataFormat ? undefined : expect.stringContaining(`format ${name} and are of format ${dataFormat} now`);
    expect(service.store.migration).toEqual(said);
    await service.store.backup?.(join(folder, 'copy'));
    expect(await formatOf(join(folder, 'copy'))).toBe(dataFormat);
    await service.close();
    service = await serve(data, fixture);
    expect(service.store.migration).toBeUndefined();
  });

  it('are restored as a backup', async () => {
    const [backup, to] = [join(folder, 'backup'), join(folder, 'restored')];
    unpackFixture(name, join(backup, dataFile));
    await restoreBackup({ from: backup, to });
    await service.close();
    service = await serve(to, fixture);
    expect((await service.ask('GET', '/v1/export', service.owner)).text).toBe(fixture.answers['/v1/export']);
  });
});
