/** The archive in a real S3 store, and the whole service with one: killed while it archives. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requirePart } from '#harness/parts/find.ts';
import { createAccount } from '#harness/topology/accounts.ts';
import { publishableAuthorization, secretAuthorization } from '#harness/topology/provision.ts';
import { startService } from '#harness/topology/service-process.ts';
import { describeArchive } from './archive-contract.ts';
import { createS3Vault, type S3Settings } from './s3-vault.ts';
import { unpackManifest, unpackSegment } from './segment.ts';

const base = mkdtempSync(join(tmpdir(), 's3-'));
const keys = { accessKey: 'tester', secretKey: 'tester-secret' };
const bucket = 'archive';
let gateway: ChildProcess;
let settings: S3Settings;

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

beforeAll(async () => {
  const port = await freePort();
  const root = join(base, 'root');
  mkdirSync(root, { recursive: true });
  gateway = spawn(requirePart('versitygw'), ['--port', `127.0.0.1:${port}`, 'posix', '--nometa', root], {
    env: { ...process.env, ROOT_ACCESS_KEY: keys.accessKey, ROOT_SECRET_KEY: keys.secretKey },
    stdio: 'ignore',
  });
  settings = { bucket, prefix: '', endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', ...keys };
  const credentials = { accessKeyId: keys.accessKey, secretAccessKey: keys.secretKey };
  const client = new S3Client({ endpoint: settings.endpoint ?? '', region: settings.region, forcePathStyle: true, credentials });
  for (let attempt = 0; ; attempt++) {
    const made = await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: unknown) => error);
    if (!(made instanceof Error)) break;
    if (attempt > 100) throw made;
    await sleep(100);
  }
  client.destroy();
});
afterAll(() => {
  gateway.kill('SIGKILL');
  rmSync(base, { recursive: true, force: true });
});

let made = 0;
describeArchive('an S3 store', async () => createS3Vault({ ...settings, prefix: `contract-${made++}/` }));

test('what is not there is undefined; a store that is away is an error', async () => {
  const vault = createS3Vault(settings);
  expect(await vault.get('nothing')).toBeUndefined();
  vault.close();
  const away = createS3Vault({ ...settings, endpoint: 'http://127.0.0.1:1' });
  await expect(away.put('x', Buffer.from('x'))).rejects.toThrow();
  away.close();
});

/** The ids in every segment that a manifest names: a slice that somebody carried on has one manifest, under its plan's name. */
function archivedIds(prefix: string): readonly string[] {
  const root = join(base, 'root', bucket, prefix);
  const manifests = readdirSync(join(root, 'manifests'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return manifests.flatMap(({ parentPath, name }) => {
    const manifest = unpackManifest(readFileSync(join(parentPath, name)));
    return manifest.segments.flatMap(({ key }) => unpackSegment(readFileSync(join(root, key)), manifest.bucket).map(({ id }) => id));
  });
}

test('a service of two workers that is killed while it archives: every event that was kept stands in the archive once', async () => {
  const folder = join(base, 'service');
  const env = {
    HEADROOM_ARCHIVE: `s3://${bucket}/killed`,
    HEADROOM_ARCHIVE_ENDPOINT: settings.endpoint ?? '',
    HEADROOM_ARCHIVE_ACCESS_KEY: keys.accessKey,
    HEADROOM_ARCHIVE_SECRET_KEY: keys.secretKey,
    HEADROOM_ARCHIVE_EVERY_MS: '100',
    HEADROOM_ARCHIVE_SEGMENT_BYTES: '16384',
  };
  let service = await startService({ workers: 2, folder, env });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'archive');
    const json = { 'content-type': 'application/json' };
    const authorizations = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => {
        const headers = { ...json, authorization: publishableAuthorization(account) };
        const answer = await fetch(`${service.url}/v1/authenticate`, { method: 'POST', headers, body: JSON.stringify({ device_id: `d${i}` }) });
        return `Bearer ${((await answer.json()) as { access_token: string }).access_token}`;
      }),
    );
    let n = 0;
    const sendSome = async (): Promise<void> => {
      for (const authorization of authorizations) {
        const events = Array.from({ length: 20 }, () => ({ id: `e${n++}`, type: 'battery', recorded_at: new Date().toISOString(), data: { level: n } }));
        await fetch(`${service.url}/v1/events`, { method: 'POST', headers: { ...json, authorization }, body: JSON.stringify(events) }).catch(() => undefined);
      }
    };
    for (let kill = 0; kill < 3; kill++) {
      for (let i = 0; i < 15; i++) await sendSome();
      if (kill === 1) {
        const pids = service.workerPids();
        service.kill();
        for (const pid of pids) endProcess(pid);
        await service.exited;
        service = await startService({ workers: 2, folder, env });
      } else for (const pid of service.workerPids().slice(0, 1)) endProcess(pid);
      await sleep(300);
    }
    const kept = async (): Promise<readonly string[]> => {
      const answer = await fetch(`${service.url}/v1/export`, { headers: { authorization: secretAuthorization(account) } });
      const lines = (await answer.text()).trim().split('\n');
      return lines
        .map((line) => JSON.parse(line) as { id: string; disposition: string })
        .flatMap(({ id, disposition }) => (disposition === 'kept' ? [id] : []));
    };
    let archived: readonly string[] = [];
    // A plan of a dead worker is carried on once its time is over.
    for (const untilMs = performance.now() + 500_000; performance.now() < untilMs; await sleep(500)) {
      archived = archivedIds('killed');
      if (archived.length >= (await kept()).length && (await kept()).length > 500) break;
    }
    expect(new Set(archived).size).toBe(archived.length);
    expect([...archived].sort()).toEqual([...(await kept())].sort());
  } finally {
    await service.stop();
  }
});

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone with its supervisor.
  }
}
