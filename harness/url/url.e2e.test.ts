/** The whole command, as somebody types it who has a service and nothing else of ours. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Verdict } from '#harness/run-result.ts';

const main = join(import.meta.dirname, '..', 'headroom.js');
const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'url-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function typed(args: readonly string[], environment = {}) {
  const child = spawn(process.execPath, [main, 'scenario', '--json', '--quiet', '--out', folder, ...args], { env: { ...process.env, ...environment } });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number, out, err, verdict: () => JSON.parse(out) as Verdict };
}

async function withServer<T>(server: Server, use: (port: number) => Promise<T>): Promise<T> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const ok: RequestListener = (request, response) => {
  request.resume().on('end', () => response.end('ok'));
};
const everything = (path: string): string =>
  readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('');

test('every arrival is accounted for, what cannot be proved is said, and no secret is kept', async () => {
  const seen: IncomingMessage[] = [];
  const keep: RequestListener = (request, response) => {
    seen.push(request);
    ok(request, response);
  };
  await withServer(createServer(keep), async (port) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as it is typed.
    const header = ['--header', 'Authorization: Bearer ${TOKEN}'];
    const url = `http://127.0.0.1:${port}/orders?key=s3cret-key`;
    const { code, verdict, err } = await typed(['--url', url, '--rate', '100', '--duration', '2s', ...header], { TOKEN: 's3cret-token' });
    // Whether all was fired in time is this machine's.
    expect([0, 3], err).toContain(code);
    const { totals, notes, scenario } = verdict();
    expect(scenario).toBe('url');
    expect(totals.planned).toBe(300);
    expect((totals.fired ?? 0) + (totals.neverFired ?? 0)).toBe(300);
    expect(totals.failed).toBe(0);
    expect(notes.map((note) => note.code)).toContain('no-ledger');
    expect(err).not.toContain('ledger    ');
  });
  expect(seen.every(({ headers }) => headers.authorization === 'Bearer s3cret-token')).toBe(true);
  expect(seen.every(({ url }) => url === '/orders?key=s3cret-key')).toBe(true);
  const kept = everything(folder);
  expect(kept).toContain('/orders?…');
  expect(kept).not.toContain('s3cret');
});

test('a service that answers with another status fails, and the reason is named', async () => {
  const refusing: RequestListener = (_, response) => {
    response.statusCode = 503;
    response.end();
  };
  await withServer(createServer(refusing), async (port) => {
    const { code, verdict } = await typed(['--url', `http://127.0.0.1:${port}/`, '--rate', '50', '--duration', '1s']);
    expect([1, 3]).toContain(code);
    expect(verdict().failures?.map(({ reason }) => reason)).toContain('status 503');
  });
});

test('a private authority needs --ca, and the error says so', async () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=shop.test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  const order = join(folder, 'order.json');
  writeFileSync(order, '{"sku":1}');
  await withServer(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, ok), async (port) => {
    const args = ['--url', `https://127.0.0.1:${port}/orders`, '--rate', '50', '--duration', '1s', '--body', order];
    const untrusted = await typed(args);
    expect([untrusted.code, untrusted.err]).toEqual([3, expect.stringContaining('give the authority’s certificate with --ca FILE')]);
    const { code, verdict } = await typed([...args, '--ca', cert]);
    expect([0, 3]).toContain(code);
    expect(verdict().totals).toMatchObject({ planned: 100, failed: 0 });
  });
});

test("the README's command is one that can be typed", async () => {
  const [, command = ''] = /^npm run scenario -- (--url .*)$/m.exec(readme) ?? [];
  const given = command.split(' ');
  await withServer(createServer(ok), async (port) => {
    const args = given.map((word) => (word.startsWith('http') ? `http://127.0.0.1:${port}${new URL(word).pathname}` : word === '30s' ? '1s' : word));
    const { code, err } = await typed(args);
    expect([0, 1, 3], err).toContain(code);
  });
});
