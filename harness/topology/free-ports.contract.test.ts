import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { ephemeralBegin, freePorts } from './free-ports.ts';

test('ports are different, outside the ephemeral range, and free on every host', async () => {
  const ports = await freePorts(20, ['127.0.0.1', '127.0.0.2']);
  expect(new Set(ports).size).toBe(20);
  for (const port of ports) expect(port).toBeLessThan(ephemeralBegin());
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ port: ports[0], host: '127.0.0.2' }, resolve));
  expect((server.address() as AddressInfo).port).toBe(ports[0]);
  await new Promise((resolve) => server.close(resolve));
});

test('where the range begins', () => {
  expect([ephemeralBegin('10240\t65535\n'), ephemeralBegin(undefined), ephemeralBegin('nonsense')]).toEqual([10_240, expect.any(Number), 32_768]);
});
