import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createS3Vault } from './s3-vault.ts';
import type { Vault } from './vault.ts';

async function vaultAt(answer: RequestListener): Promise<Vault> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const vault = createS3Vault({ bucket: 'b', prefix: '', endpoint, region: 'us-east-1', accessKey: 'a', secretKey: 's' }, { silenceMsMax: 100 });
  onTestFinished(() => {
    vault.close();
    server.closeAllConnections();
    server.close();
  });
  return vault;
}

test('an endpoint that takes a request and never answers is given up', async () => {
  const vault = await vaultAt(() => undefined);
  const outcomes = await Promise.allSettled([vault.get('x'), vault.put('x', Buffer.from('x'))]);
  expect(outcomes).toMatchObject([{ reason: { name: 'TimeoutError' } }, { reason: { name: 'TimeoutError' } }]);
});

test('an endpoint that stops inside of its answer is given up', async () => {
  const vault = await vaultAt((_, answer) => {
    answer.writeHead(200, { 'content-length': 100 });
    answer.write('half');
  });
  await expect(vault.get('x')).rejects.toThrow();
});
