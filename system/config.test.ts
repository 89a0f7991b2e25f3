import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

test('a flag beats the environment, which beats the default', () => {
  expect(readConfig({}, {}).port).toBe(8080);
  expect(readConfig({ HEADROOM_PORT: '9000' }, {}).port).toBe(9000);
  expect(readConfig({ HEADROOM_PORT: '9000' }, { port: 9001 }).port).toBe(9001);
});

test('one address or several', () => {
  expect(readConfig({}, {}).hosts).toEqual(['127.0.0.1']);
  expect(readConfig({}, { host: '::' }).hosts).toEqual(['::']);
  expect(readConfig({ HEADROOM_HOST: '127.0.0.1, 127.0.0.2' }, {}).hosts).toEqual(['127.0.0.1', '127.0.0.2']);
});

test.each([
  [{ HEADROOM_WORKERS: 'many' }, {}, 'HEADROOM_WORKERS: expected a whole number from 1 to 64, got "many"'],
  [{}, { workers: 0 }, '--workers: expected a whole number from 1 to 64, got "0"'],
  [{ HEADROOM_DURABILITY: 'hope' }, {}, 'HEADROOM_DURABILITY: expected fsync or memory, got "hope"'],
  [{ HEADROOM_DATA: '' }, {}, 'HEADROOM_DATA: expected a text that is not empty, got ""'],
  [{ HEADROOM_TLS_CERT: 'c.pem' }, {}, 'belong together'],
])('%j %j is refused by name', (environment, flags, text) => {
  expect(() => readConfig(environment, flags)).toThrow(text);
});

test('quotas by lane, the others as they are', () => {
  const { accountQuotas } = readConfig({}, { 'account-quotas': 'registration=50, read=7' });
  expect(accountQuotas).toMatchObject({ registration: 50, read: 7, ingest: 50_000 });
});

test.each([
  [{ 'account-quotas': 'nonsense=1' }, /--account-quotas: expected lane=requests a second/],
  [{ 'account-quotas': 'read=0' }, /--account-quotas: expected/],
  [{ host: '127.0.0.1,,127.0.0.2' }, /--host: expected up to 16 different addresses/],
  [{ host: '127.0.0.1,127.0.0.1' }, /--host: expected up to 16 different addresses/],
  [{ host: '0.0.0.0,127.0.0.2' }, /stand alone/],
  [{ 'proxy-trusted': 'nonsense' }, /--proxy-trusted: expected networks/],
  [{ 'proxy-trusted': '10.0.0.0/33' }, /--proxy-trusted: expected networks/],
  [{ 'proxy-protocol': 'v3' }, /--proxy-protocol: expected off, v1 or v2/],
  [{ 'proxy-protocol': 'v2', 'tls-cert': 'a', 'tls-key': 'b' }, /TLS ends at the balancer/],
  [{ 'balancer-idle-timeout-ms': '10' }, /--balancer-idle-timeout-ms: expected a whole number/],
])('%j is refused with a sentence', (flags, sentence) => {
  expect(() => readConfig({}, flags)).toThrow(sentence);
});
