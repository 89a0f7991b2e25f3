import { expect, test } from 'vitest';
import type { System } from '#harness/scenario.ts';
import { serviceFlags } from './service-flags.ts';
import { systemTrouble } from './system-trouble.ts';

const streams = { users: 1, readers: [{ name: 'phone' }] };

test.each<[string, System, RegExp]>([
  ['a port', { settings: { port: 8080 } }, /^system\.settings\.port: the harness sets this one itself; every node/],
  ['its denial', { settings: { 'no-exit-with-parent': true } }, /exit-with-parent: the harness sets this one itself; no node may outlive/],
  ['workers', { settings: { workers: 2 } }, /say system\.workers/],
  ['a name with dashes', { settings: { '--drain-window-ms': 5 } }, /without the two dashes/],
  ['a PROXY header of an HTTP listener', { balancer: { kind: 'model', preset: 'alb', proxyHeader: 'v1' } }, /alb is an HTTP listener/],
  ['two versions', { balancer: { kind: 'model', preset: 'nlb' }, settings: { 'proxy-protocol': 'v1' } }, /which is v2/],
  ['TLS behind it', { balancer: { kind: 'haproxy' }, settings: { 'tls-cert': 'a', 'tls-key': 'b' } }, /plain HTTP/],
  ['a clock too fast', { balancer: { kind: 'haproxy' } }, /60000 ms pass in 600 on a clock 100 times as fast.*a scale of 25 would do/],
])('%s is said before the run', (_, system, expected) => {
  expect(systemTrouble({ system, clock: { scale: 100 }, streams })).toMatch(expected);
});

test('a clock too fast for streams is none for requests, nor where the scenario says what the service believes', () => {
  const balancer = { kind: 'haproxy' } as const;
  expect(systemTrouble({})).toBeUndefined();
  expect(systemTrouble({ system: { balancer }, clock: { scale: 100 } })).toBeUndefined();
  expect(systemTrouble({ system: { balancer, settings: { 'balancer-idle-timeout-ms': 240_000 } }, clock: { scale: 100 }, streams })).toBeUndefined();
  expect(systemTrouble({ system: { balancer, workers: 2, settings: { 'drain-window-ms': 5 } }, clock: { scale: 25 }, streams })).toBeUndefined();
});

test('settings become flags, milliseconds on the scenario’s clock', () => {
  const settings = { 'drain-window-ms': 10_000, 'position-check-ms': 10, 'whole-changes': 500, 'auto-registration': false, 'stream-age-ms': '7' };
  expect(serviceFlags({ settings }, 25)).toEqual({
    first: [],
    always: ['--drain-window-ms=400', '--position-check-ms=1', '--whole-changes=500', '--auto-registration=false', '--stream-age-ms=7'],
  });
  expect(serviceFlags({ addresses: 3, settings: { 'restore-from': '/b' } }, 1)).toEqual({
    first: ['--restore-from=/b'],
    always: ['--host=127.0.0.1,127.0.0.2,127.0.0.3'],
  });
});

test('the service learns of its balancer: its header, and its idle timeout as it really passes', () => {
  const flags = (system: System, scale: number) => serviceFlags(system, scale).always;
  expect(flags({ balancer: { kind: 'model', preset: 'classic-elb' } }, 20)).toEqual(['--proxy-protocol=v1', '--balancer-idle-timeout-ms=3000']);
  expect(flags({ balancer: { kind: 'model', preset: 'nlb', proxyHeader: 'off' } }, 1)).toEqual(['--balancer-idle-timeout-ms=350000']);
  expect(flags({ balancer: { kind: 'haproxy', proxyHeader: 'v2', idleTimeoutMs: 30_000 } }, 100)).toEqual([
    '--proxy-protocol=v2',
    '--balancer-idle-timeout-ms=2400',
  ]);
  const careless: System = { balancer: { kind: 'haproxy' }, settings: { 'balancer-idle-timeout-ms': 3_600_000 } };
  expect(flags(careless, 20)).toEqual(['--balancer-idle-timeout-ms=180000']);
});
