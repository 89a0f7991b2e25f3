/**
 * Makes the fixture of a format: `node system/store/lmdb/formats/make-format.ts NAME [CHECKOUT]`. The real service of a checkout, this one by
 * default, is started, is sent some of everything that lasts, and takes a backup. Beside that stands what it answered, which every later version has to answer too.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { batch, type Fixture, fixturePath, pathsOf } from './fixture.ts';

type Ready = { readonly url: string; readonly admin_url: string; readonly admin_token: string };
type Asking = { readonly method?: string; readonly authorization: string; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> };

const patienceMs = 60_000;
const basic = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

async function ask(url: string, { method = 'GET', authorization, body, headers }: Asking): Promise<string> {
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
  const answer = await fetch(url, { method, headers: { authorization, ...json, ...headers }, ...sent });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url} was answered ${answer.status}: ${text}`);
  return text;
}

/** Sends what is to be kept; resolves once the pipeline has stepped over it. */
async function fill({ url, admin_url: adminUrl, admin_token: adminToken }: Ready): Promise<Omit<Fixture, 'answers'>> {
  const admin = `Bearer ${adminToken}`;
  const account = JSON.parse(
    await ask(`${adminUrl}/admin/v1/accounts`, { method: 'POST', authorization: admin, body: { name: 'fixture' } }),
  ) as Fixture['account'];
  const owner = basic(account.account_id, account.secret);
  const register = async (device: string, body: object): Promise<string> =>
    (JSON.parse(await ask(`${url}/v1/devices/${device}`, { method: 'PUT', authorization: owner, body })) as { device_secret: string }).device_secret;
  const deviceSecret = await register('phone', { platform: 'ios', app_version: '1.0', user: 'ann', metadata: { fleet: 'north' } });
  await register('gone', { platform: 'ios', app_version: '1.0' });
  await ask(`${url}/v1/devices/gone`, { method: 'DELETE', authorization: owner });
  const hook = { url: 'https://example.com/hook', types: ['device.registered', 'location.latest'] };
  await ask(`${url}/v1/webhooks`, { method: 'POST', authorization: owner, body: hook });
  const publishable = basic(account.publishable_key, '');
  const proof = { device_id: 'phone', device_secret: deviceSecret };
  const { access_token: token } = JSON.parse(await ask(`${url}/v1/authenticate`, { method: 'POST', authorization: publishable, body: proof })) as {
    access_token: string;
  };
  const authorization = `Bearer ${token}`;
  const receipt = await ask(`${url}/v1/events`, { method: 'POST', authorization, body: batch, headers: { 'idempotency-key': 'fixture' } });
  for (const [item, body] of [
    ['t1', { n: 1 }],
    ['t1', { n: 2 }],
    ['t2', { text: 'ü' }],
    ['t3', {}],
  ] as const)
    await ask(`${url}/v1/sync/trips/${item}`, { method: 'PUT', authorization, body });
  await ask(`${url}/v1/sync/trips/t3`, { method: 'DELETE', authorization });
  await ask(`${url}/v1/shares`, { method: 'POST', authorization, body: { collection: 'trips', item: 't2', to: { account: account.account_id } } });
  const of = { authorization: owner };
  await until(async () => !(await ask(`${url}/v1/export`, of)).includes('"pending"'));
  await until(async () => (await ask(`${url}/v1/sync/inbox/snapshot`, of)).includes('"t2"'));
  return { account, deviceSecret, receipt };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + patienceMs; !(await holds()); await sleep(100))
    if (performance.now() > endMs) throw new Error(`the service did not come so far within ${patienceMs} ms`);
}

async function answersOf({ url }: Ready, given: Omit<Fixture, 'answers'>): Promise<Fixture['answers']> {
  const owner = basic(given.account.account_id, given.account.secret);
  const body = { user: 'ann', scopes: ['ch:*'] };
  const { access_token: token } = JSON.parse(await ask(`${url}/v1/tokens`, { method: 'POST', authorization: owner, body })) as { access_token: string };
  const answers: Record<string, string> = {};
  for (const { path, as } of pathsOf)
    answers[path] = await ask(`${url}${path}`, {
      authorization: as === 'owner' ? owner : `Bearer ${token}`,
      headers: { accept: 'application/x-ndjson, application/json' },
    });
  return answers;
}

const [name, checkout = fileURLToPath(new URL('../../../../', import.meta.url))] = process.argv.slice(2);
if (name === undefined) throw new Error('say how the format is called: node system/store/lmdb/formats/make-format.ts 2');
const folder = mkdtempSync(join(tmpdir(), 'make-format-'));
const args = ['system/main.ts', '--data', join(folder, 'data'), '--port', '0', '--admin-port', '0', '--workers', '1'];
const service = spawn(process.execPath, args, { cwd: checkout, stdio: ['ignore', 'pipe', 'inherit'] });
try {
  const [line] = (await once(createInterface({ input: service.stdout }), 'line')) as [string];
  const ready = JSON.parse(line) as Ready;
  const given = await fill(ready);
  const answers = await answersOf(ready, given);
  const backup = join(folder, 'backup');
  await ask(`${ready.admin_url}/admin/v1/backup`, { method: 'POST', authorization: `Bearer ${ready.admin_token}`, body: { folder: backup } });
  writeFileSync(fixturePath(name, 'mdb.gz'), gzipSync(readFileSync(join(backup, 'data.mdb')), { level: 9 }));
  writeFileSync(fixturePath(name, 'json'), `${JSON.stringify({ ...given, answers } satisfies Fixture, undefined, 2)}\n`);
} finally {
  const gone = once(service, 'exit');
  service.kill('SIGTERM');
  await gone;
  rmSync(folder, { recursive: true, force: true });
}
