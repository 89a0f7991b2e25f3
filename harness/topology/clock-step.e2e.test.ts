/** A wall clock that is put where it does not belong, under the real service: nothing that was acknowledged is lost for it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAccount } from './accounts.ts';
import { provisionFleet, secretAuthorization } from './provision.ts';
import { startService } from './service-process.ts';

const hourMs = 3_600_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-clock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([-72, 72])('%d hours for a moment, and back: every acknowledged event is exported', { timeout: 240_000 }, async (hours) => {
  const [clock, logFile] = [join(folder, 'clock'), join(folder, 'service.log')];
  const put = async (aheadMs: number): Promise<void> => {
    writeFileSync(clock, String(aheadMs));
    await sleep(2500);
  };
  await put(0);
  const env = { HEADROOM_TEST_CLOCK: clock, NODE_OPTIONS: `--import ${new URL('./faked-clock.ts', import.meta.url).href}`, HEADROOM_ARCHIVE: 'off' };
  const service = await startService({ workers: 1, folder: join(folder, 'data'), env, logFile });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'x');
    const signal = new AbortController().signal;
    const fleet = { url: service.url, accounts: [account], run: 'r', devices: 1, withTokens: true, onProgress: () => undefined, signal };
    const acknowledged: string[] = [];
    const send = async (batches: number): Promise<void> => {
      const [device] = await provisionFleet({ ...fleet, run: `r${acknowledged.length}` });
      const headers = { authorization: `Bearer ${device?.token}`, 'content-type': 'application/json' };
      for (let i = 0; i < batches; i++) {
        const ids = Array.from({ length: 5 }, (_, event) => `e${acknowledged.length + event}`);
        const events = ids.map((id) => ({ id, type: 'battery', recorded_at: new Date().toISOString(), data: { level: 0.5 } }));
        const answer = await request(`${service.url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(events) });
        if (answer.statusCode === 202) acknowledged.push(...ids);
        await answer.body.dump();
      }
    };
    await send(60);
    await put(hours * hourMs);
    await send(150);
    await put(0);
    await send(60);
    const answer = await request(`${service.url}/v1/export`, { headers: { authorization: secretAuthorization(account) } });
    const ids = (await answer.body.text())
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(acknowledged.length).toBeGreaterThan(1000);
    expect(new Set(ids)).toEqual(new Set(acknowledged));
    expect(ids).toHaveLength(acknowledged.length);
    const said = [...readFileSync(logFile, 'utf8').matchAll(/the wall clock was put (\w+) by (\d+)/g)].map(
      ([, way, seconds]) => `${way} ${Math.round(Number(seconds) / 3600)}`,
    );
    expect(said).toEqual([`${hours > 0 ? 'forward' : 'back'} 72`, `${hours > 0 ? 'back' : 'forward'} 72`]);
  } finally {
    await service.stop();
  }
});
