/** The promise of a 202, with real processes: killed, drained, refused a start. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { conservationError } from '#harness/ledger/conservation.ts';
import { parsePrometheusText, sumOf } from '#harness/metrics/prometheus-text.ts';
import { createAccount } from './accounts.ts';
import { type AccountCredentials, provisionFleet, secretAuthorization } from './provision.ts';
import { type Service, startService } from './service-process.ts';

/** A limit for what hangs. */
const hangsAfterMs = 300_000;
const root = fileURLToPath(new URL('../../', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Sends single events for ever; remembers which were acknowledged and what else happened. */
function startSenders(url: string, tokens: readonly string[], prefix: string) {
  const acknowledged: string[] = [];
  const cut: string[] = [];
  const agent = new Agent({ connections: tokens.length });
  let stopped = false;
  const senders = tokens.map(async (token, sender) => {
    for (let i = 0; !stopped; i++) {
      const id = `${prefix}-${sender}-${i}`;
      try {
        const answer = await request(`${url}/v1/events`, {
          dispatcher: agent,
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify([{ id, type: 'location', recorded_at: new Date().toISOString(), data: { lat: 1, lon: 2 } }]),
        });
        const body = (await answer.body.json()) as { accepted?: number };
        if (answer.statusCode === 202 && body.accepted === 1) acknowledged.push(id);
      } catch (error) {
        cut.push((error as { code?: string }).code ?? String(error));
        await sleep(5);
      }
    }
  });
  return {
    acknowledged,
    cut,
    stop: async () => {
      stopped = true;
      await Promise.all(senders);
      await agent.destroy();
    },
  };
}

async function exportedIds(url: string, account: AccountCredentials): Promise<string[]> {
  const ids: string[] = [];
  for (let after = ''; ; ) {
    const page = await request(`${url}/v1/export${after === '' ? '' : `?after=${after}`}`, { headers: { authorization: secretAuthorization(account) } });
    const text = await page.body.text();
    expect(page.statusCode, text).toBe(200);
    if (text === '') return ids;
    for (const line of text.trim().split('\n')) ids.push((JSON.parse(line) as { id: string }).id);
    after = page.headers['export-cursor'] as string;
  }
}

function expectEachOnce(acknowledged: readonly string[], exported: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const id of exported) counts.set(id, (counts.get(id) ?? 0) + 1);
  expect(acknowledged.filter((id) => counts.get(id) === undefined)).toEqual([]);
  expect([...counts].filter(([, count]) => count > 1)).toEqual([]);
}

const tokensOf = async (service: Service, account: AccountCredentials, run: string): Promise<readonly string[]> => {
  const fleet = await provisionFleet({
    url: service.url,
    accounts: [account],
    run,
    devices: 8,
    withTokens: true,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  return fleet.map(({ token }) => token);
};

async function waitUntil(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 4000; i++) {
    if (await holds()) return;
    await sleep(50);
  }
  throw new Error(`never came true: ${what}`);
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('R2: killed twenty times under load, one worker or all, every acknowledged event is there once', async () => {
  let random = 7;
  const chance = () => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return random / 2 ** 32;
  };
  const acknowledged: string[] = [];
  let account: AccountCredentials | undefined;
  let kills = 0;
  for (let round = 0; kills < 20; round++) {
    const service = await startService({ workers: 2, folder });
    account ??= await createAccount(service.adminUrl, service.adminToken, 'victim');
    const senders = startSenders(service.url, await tokensOf(service, account, `r${round}`), `r${round}`);
    for (let i = 0; i < 3; i++) {
      await sleep(100 + chance() * 400);
      const pids = service.workerPids();
      const victim = pids[Math.floor(chance() * pids.length)] as number;
      process.kill(victim, 'SIGKILL');
      kills++;
      await waitUntil('another worker', () => service.workerPids().length === 2 && !service.workerPids().includes(victim));
    }
    await sleep(100 + chance() * 400);
    service.kill();
    const workers = service.workerPids();
    kills++;
    await senders.stop();
    acknowledged.push(...senders.acknowledged);
    expect(senders.acknowledged.length).toBeGreaterThan(0);
    // Workers whose supervisor was killed end by themselves.
    await waitUntil('no worker is left', () => workers.every((pid) => !isAlive(pid)));
  }
  const service = await startService({ workers: 2, folder });
  expectEachOnce(acknowledged, await exportedIds(service.url, account as AccountCredentials));
  await waitUntil('the pipeline has caught up, within the time of a lease', async () => {
    const values = parsePrometheusText(await (await request(`${service.url}/metrics`)).body.text());
    return sumOf(values, 'headroom_events_pending') === 0 && conservationError(values) === 0;
  }).finally(() => service.stop());
});

test('a drain under load loses nothing, cuts no request and leaves with code 0', async () => {
  const service = await startService({ workers: 2, folder });
  const account = await createAccount(service.adminUrl, service.adminToken, 'drained');
  const senders = startSenders(service.url, await tokensOf(service, account, 'drain'), 'drain');
  await sleep(1000);
  expect(await service.stop()).toBe(0);
  await senders.stop();
  // After the end nothing listens: a refused connection is no cut request.
  expect(senders.cut.filter((code) => code !== 'ECONNREFUSED')).toEqual([]);
  const again = await startService({ workers: 1, folder });
  try {
    expectEachOnce(senders.acknowledged, await exportedIds(again.url, account));
  } finally {
    await again.stop();
  }
});

test('metrics are one answer for all workers', async () => {
  const service = await startService({ workers: 2, folder });
  try {
    for (let i = 0; i < 40; i++) await (await request(`${service.url}/healthz`, { dispatcher: new Agent() })).body.dump();
    const values = parsePrometheusText(await (await request(`${service.url}/metrics`)).body.text());
    expect(sumOf(values, 'headroom_requests_total')).toBe(40);
    expect(Object.keys(values).filter((name) => name.startsWith('headroom_worker_cpu_seconds_total'))).toHaveLength(2);
  } finally {
    await service.stop();
  }
});

test('a port that is taken, a folder that cannot be, data that are damaged, a setting that makes no sense: a sentence and a code', async () => {
  const run = (...args: string[]) => spawnSync(process.execPath, ['system/main.ts', ...args], { cwd: root, encoding: 'utf8', timeout: hangsAfterMs });
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  const onTaken = run(`--port=${port}`, '--admin-port=0', `--data=${folder}/a`);
  taken.close();
  expect([onTaken.status, onTaken.stderr]).toEqual([1, expect.stringContaining(`port ${port}`)]);
  writeFileSync(join(folder, 'file'), '');
  const noFolder = run('--port=0', '--admin-port=0', `--data=${folder}/file/data`);
  expect(noFolder.status).toBe(1);
  expect(noFolder.stderr).toContain(`${folder}/file/data`);
  mkdirSync(join(folder, 'damaged'));
  writeFileSync(join(folder, 'damaged', 'data.mdb'), 'no data');
  const damaged = run('--port=0', '--admin-port=0', `--data=${folder}/damaged`);
  expect([damaged.status, damaged.stderr]).toEqual([1, expect.stringContaining(`${folder}/damaged/data.mdb is not the data of this service`)]);
  mkdirSync(join(folder, 'cut'));

  await (await startService({ workers: 1, folder: join(folder, 'cut') })).stop();
  const bytes = readFileSync(join(folder, 'cut', 'data.mdb'));
  writeFileSync(join(folder, 'cut', 'data.mdb'), bytes.subarray(0, 12_288));
  const cut = run('--port=0', '--admin-port=0', `--data=${folder}/cut`);
  expect([cut.status, cut.stderr]).toEqual([1, expect.stringMatching(/the data in .*cut are damaged|cannot be opened/)]);
  const backup = run('--port=0', '--admin-port=0', `--data=${folder}/b`, `--restore-from=${folder}/damaged`);
  expect([backup.status, backup.stderr]).toEqual([2, expect.stringContaining(`no backup in ${folder}/damaged`)]);
  const wrong = run('--workers=many');
  expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('--workers: expected a whole number')]);
});
