import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trustAuthority } from './extra-ca.ts';
import { attachTarget } from './target.ts';

const folder = mkdtempSync(join(tmpdir(), 'headroom-ca-'));
const [key, cert, credentialsFile] = ['key.pem', 'cert.pem', 'account.json'].map((name) => join(folder, name)) as [string, string, string];
let server: Server;
let port: number;

beforeAll(async () => {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  writeFileSync(credentialsFile, '{"account_id":"a","secret":"s","publishable_key":"p"}');
  server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => response.end('{"durability":"fsync"}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

/** What a thread that trusts by its environment comes to. */
async function connectedByThread(): Promise<unknown> {
  const code = `
    const { parentPort } = await import('node:worker_threads');
    const { connect } = await import('node:tls');
    const { trustAuthorityOfEnvironment } = await import('${new URL('./extra-ca.ts', import.meta.url).href}');
    trustAuthorityOfEnvironment();
    const socket = connect({ host: '127.0.0.1', port: ${port} }, () => { parentPort.postMessage('connected'); socket.end(); });
    socket.on('error', ({ code }) => parentPort.postMessage(code));`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { env: process.env });
  const [said] = await once(worker, 'message');
  return said;
}

test('an authority of one’s own: the error says what to do, and with it every thread connects', async () => {
  const target = { url: `https://127.0.0.1:${port}`, credentialsFile };
  await expect(attachTarget(target)).rejects.toThrow('give the authority’s certificate with --ca FILE');
  expect(await connectedByThread()).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
  trustAuthority(cert);
  expect((await attachTarget(target)).durability).toBe('fsync');
  expect(await connectedByThread()).toBe('connected');
});

test('a file that holds none is a sentence', () => {
  expect(() => trustAuthority(credentialsFile)).toThrow(/--ca .*account\.json cannot be used/);
});
