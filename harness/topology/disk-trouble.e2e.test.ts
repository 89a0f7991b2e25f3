/** R11 with the whole service: a disk that is full, a flush that hangs, one that fails. Nothing is acknowledged that is not there. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAccount } from './accounts.ts';
import { type AccountCredentials, provisionFleet, secretAuthorization } from './provision.ts';
import { type Service, startService } from './service-process.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-disk-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function newSender(
  service: Service,
): Promise<{ account: AccountCredentials; send: (id: string, note?: string, url?: string) => Promise<{ status: number; retryAfter: string; code: unknown }> }> {
  const account = await createAccount(service.adminUrl, service.adminToken, 'x');
  const signal = new AbortController().signal;
  const [device] = await provisionFleet({ url: service.url, accounts: [account], run: 'r', devices: 1, withTokens: true, onProgress: () => undefined, signal });
  const headers = { authorization: `Bearer ${device?.token}`, 'content-type': 'application/json' };
  const send = async (id: string, note = '', url = service.url) => {
    const body = JSON.stringify([{ id, type: 'location', recorded_at: new Date().toISOString(), data: { lat: 1, lon: 2, note } }]);
    const answer = await request(`${url}/v1/events`, { method: 'POST', headers, body });
    const { code } = (await answer.body.json()) as { code?: unknown };
    return { status: answer.statusCode, retryAfter: String(answer.headers['retry-after']), code };
  };
  return { account, send };
}

async function exported(url: string, account: AccountCredentials): Promise<string[]> {
  const answer = await request(`${url}/v1/export`, { headers: { authorization: secretAuthorization(account) } });
  const text = await answer.body.text();
  return text === ''
    ? []
    : text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id);
}

/** Writes until the disk takes nothing more. */
function fillUp(path: string): void {
  const file = openSync(path, 'w');
  for (const bytes of [65_536, 4096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(bytes));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
  closeSync(file);
}

test.each(['flush-hangs', 'flush-fails'])('%s: 503 with Retry-After, and no 202', async (trouble) => {
  const env = { HEADROOM_FLUSH_TIMEOUT_MS: '400' };
  const service = await startService({ workers: 1, folder: join(folder, 'data'), entry: 'system/twins/main.ts', args: [trouble], env });
  try {
    const { send } = await newSender(service);
    for (let i = 0; i < 3; i++) {
      const answer = await send(`e${i}`);
      expect(answer).toMatchObject({ status: 503, code: 'store-unavailable' });
      expect(answer.retryAfter).toMatch(/^[1-9]\d*$/);
    }
  } finally {
    await service.stop();
  }
});

test('a full disk: 503 until there is room again; every 202 is there, before and after a new start', async () => {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]);
  let service = await startService({ workers: 1, folder: join(disk, 'data') });
  try {
    const { account, send } = await newSender(service);
    const acknowledged: string[] = [];
    const note = 'x'.repeat(12_000);
    let refusals = 0;
    for (let i = 0; i < 1000 && refusals < 3; i++) {
      const { status, code } = await send(`e${i}`, note);
      if (status === 202) acknowledged.push(`e${i}`);
      else {
        refusals++;
        expect([status, code]).toEqual([503, 'store-unavailable']);
      }
    }
    expect(refusals).toBe(3);
    // LMDB writes this itself, and may die of having written it (system/store/README.md).
    expect(service.stderrTail()).not.toContain('Write error');
    expect(acknowledged.length).toBeGreaterThan(10);
    const readiness = async () => (await request(`${service.url}/readyz`)).statusCode;
    expect(await readiness()).toBe(503);
    // Whoever dies now is replaced by one that reads.
    for (const pid of service.workerPids()) process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await exported(service.url, account).catch(() => [])).length, { timeout: 60_000 }).toBe(acknowledged.length);
    expect([await readiness(), (await send('refused')).status]).toEqual([503, 503]);
    // Not a byte is left: a worker that takes over reads too, and so does a service that is started then.
    const filler = join(disk, 'filler');
    fillUp(filler);
    const [last] = service.workerPids();
    for (const pid of service.workerPids()) process.kill(pid, 'SIGKILL');
    await expect.poll(() => service.workerPids().filter((pid) => pid !== last).length, { timeout: 60_000 }).toBe(1);
    await expect.poll(async () => (await exported(service.url, account).catch(() => [])).length, { timeout: 60_000 }).toBe(acknowledged.length);
    await service.stop();
    service = await startService({ workers: 1, folder: join(disk, 'data') });
    const workers = service.workerPids();
    const sendAnew = (id: string) => send(id, '', service.url);
    expect(await exported(service.url, account)).toEqual(acknowledged);
    expect([(await request(`${service.url}/healthz`)).statusCode, await readiness(), (await sendAnew('refused')).status]).toEqual([200, 503, 503]);
    expect([service.workerPids(), service.stderrTail().includes('ended (')]).toEqual([workers, false]);
    rmSync(filler);
    execFileSync('mount', ['-o', 'remount,size=64m', disk]);
    await expect.poll(async () => (await sendAnew('later')).status, { timeout: 60_000 }).toBe(202);
    const all = [...acknowledged, 'later'];
    expect((await exported(service.url, account)).filter((id) => all.includes(id))).toEqual(all);
    await service.stop();
    service = await startService({ workers: 1, folder: join(disk, 'data') });
    expect((await exported(service.url, account)).filter((id) => all.includes(id))).toEqual(all);
  } finally {
    await service.stop();
    execFileSync('umount', ['-l', disk]);
  }
});

test('a write that fails for good: 503, then another worker on the same port takes over, and every 202 is there', async () => {
  const service = await startService({ workers: 1, folder: join(folder, 'data') });
  try {
    const { account, send } = await newSender(service);
    const acknowledged: string[] = [];
    for (let i = 0; i < 20; i++) if ((await send(`e${i}`)).status === 202) acknowledged.push(`e${i}`);
    const [pid] = service.workerPids();
    // Writing beyond the file's first page fails with EFBIG; the worker that comes after has the supervisor's limits again.
    execFileSync('prlimit', ['--pid', String(pid), '--fsize=4096']);
    const refused = await send('refused');
    expect(refused).toMatchObject({ status: 503, code: 'store-unavailable' });
    // Between two workers nothing listens.
    const statusOf = (id: string) =>
      send(id)
        .then(({ status }) => status)
        .catch(() => 0);
    await expect.poll(() => statusOf('later')).toBe(202);
    expect(service.workerPids()).not.toContain(pid);
    expect(service.stderrTail()).toContain('the store is lost to this process');
    const ids = await exported(service.url, account);
    expect(ids.filter((id) => id !== 'refused')).toEqual([...acknowledged, 'later']);
  } finally {
    await service.stop();
  }
});
