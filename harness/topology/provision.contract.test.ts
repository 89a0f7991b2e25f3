import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mintUserTokens, provisionFleet } from './provision.ts';

const account = { account_id: 'a', secret: 's', publishable_key: 'p' };
let server: Server;
let url: string;

beforeEach(async () => {
  server = createServer((request, response) => {
    const isToken = request.url === '/v1/tokens';
    request.resume().on('end', () => response.writeHead(isToken ? 201 : 200).end('{"access_token":"t"}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test('progress is how many are done, and the last of it is all', async () => {
  const said: number[] = [];
  const input = { url, accounts: [account], run: 'r', onProgress: (done: number) => void said.push(done), signal: new AbortController().signal };
  expect(await mintUserTokens({ ...input, users: 1020 })).toEqual(Array.from({ length: 1020 }, () => 'Bearer t'));
  expect(said).toEqual([500, 1000, 1020]);
  said.length = 0;
  const fleet = await provisionFleet({ ...input, devices: 510, withTokens: true });
  expect([fleet.length, new Set(fleet.map(({ deviceId }) => deviceId)).size]).toEqual([510, 510]);
  expect(said).toEqual([500, 510]);
});
