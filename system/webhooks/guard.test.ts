import { expect, test } from 'vitest';
import { createGuard, mayConnect } from './guard.ts';

const guard = createGuard([]);

test.each([
  '127.0.0.1',
  '127.255.255.254',
  '0.0.0.0',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '198.18.0.1',
  '192.0.0.8',
  '192.88.99.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::7f00:1',
  '::1.1.1.1',
  '::101:101',
  '::ffff:0:101:101',
  '4000::1',
  'e000::1',
  '::1:0:0:1',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1',
  '2002:7f00:1::',
  '2001::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  '2001:db8::1',
  'nonsense',
  '1:2',
  '::1]/[',
  '',
])('%s is inside', (address) => {
  expect(guard(address)).toBe('forbidden');
});

test.each(['1.1.1.1', '8.8.8.8', '2606:4700::1111', '172.32.0.1', '100.128.0.1', '::ffff:1.1.1.1', '::ffff:101:101'])('%s is outside', (address) => {
  expect(guard(address)).toBe('public');
});

test('a network that is allowed is, in whichever way it is written, and its neighbour is not', () => {
  const some = createGuard(['127.0.0.2/32', 'fd00::/8']);
  expect(['127.0.0.2', '::ffff:127.0.0.2', 'fd12::1'].map(some)).toEqual(['allowed', 'allowed', 'allowed']);
  expect(['::127.0.0.2', '::7f00:2'].map(some)).toEqual(['forbidden', 'forbidden']);
  expect(['127.0.0.1', '127.0.0.3', 'fe80::1'].map(some)).toEqual(['forbidden', 'forbidden', 'forbidden']);
  expect(() => createGuard(['10.0.0.0/33'])).toThrow();
});

test('plain HTTP stays inside', () => {
  const some = createGuard(['127.0.0.2/32']);
  const may = (address: string, isTls: boolean) => mayConnect(some, { address, isTls });
  expect([may('1.1.1.1', true), may('1.1.1.1', false), may('127.0.0.2', false), may('127.0.0.1', true)]).toEqual([true, false, true, false]);
});
