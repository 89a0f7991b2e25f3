import { expect, test } from 'vitest';
import { readyLine } from './ready-line.ts';

const addresses = { urls: ['http://127.0.0.1:1', 'http://127.0.0.2:1'], adminUrl: 'http://127.0.0.1:2', proxyUrl: undefined };

test('one line: all addresses, the first of them alone too, and a token that nobody gave', () => {
  const line = readyLine({ addresses, adminToken: 't', workers: [7, 8] });
  expect(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1).toBe(true);
  expect(JSON.parse(line)).toEqual({
    ready: true,
    url: 'http://127.0.0.1:1',
    urls: ['http://127.0.0.1:1', 'http://127.0.0.2:1'],
    admin_url: 'http://127.0.0.1:2',
    admin_token: 't',
    pid: process.pid,
    workers: [7, 8],
  });
  const given = JSON.parse(readyLine({ addresses: { ...addresses, proxyUrl: 'http://127.0.0.1:3' }, adminToken: undefined, workers: [] })) as object;
  expect(given).toMatchObject({ proxy_url: 'http://127.0.0.1:3' });
  expect(given).not.toHaveProperty('admin_token');
});
