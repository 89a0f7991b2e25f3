import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ProxyVersion, parseHeader } from './proxy-header.ts';

const line = (text: string): Buffer => Buffer.from(`${text}\r\n`, 'latin1');
const binary = (change: { command?: number; family?: number; body?: Buffer; version?: number; length?: number } = {}): Buffer => {
  const body = change.body ?? Buffer.from('c0000207c6336401d43101bb', 'hex');
  const head = Buffer.from('0d0a0d0a000d0a515549540a00000000', 'hex');
  head.writeUInt8(((change.version ?? 2) << 4) | (change.command ?? 1), 12);
  head.writeUInt8(change.family ?? 0x11, 13);
  head.writeUInt16BE(change.length ?? body.length, 14);
  return Buffer.concat([head, body]);
};
const six = Buffer.concat([Buffer.from('20010db8000000000000000000000007', 'hex'), Buffer.alloc(16), Buffer.from('d43101bb', 'hex')]);

const valid: readonly (readonly [ProxyVersion, string, Buffer, unknown])[] = [
  ['v1', 'TCP4', line('PROXY TCP4 192.0.2.7 198.51.100.1 54321 443'), { address: '192.0.2.7', port: 54_321 }],
  ['v1', 'TCP6', line('PROXY TCP6 2001:db8::7 2001:db8::1 1 65535'), { address: '2001:db8::7', port: 1 }],
  ['v1', 'UNKNOWN', line('PROXY UNKNOWN'), undefined],
  ['v1', 'UNKNOWN with more', line('PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535'), undefined],
  ['v2', 'TCP4', binary(), { address: '192.0.2.7', port: 54_321 }],
  [
    'v2',
    'TCP4 and TLVs',
    binary({ body: Buffer.concat([Buffer.from('c0000207c6336401d43101bb', 'hex'), Buffer.from('ea0003616263', 'hex')]) }),
    { address: '192.0.2.7', port: 54_321 },
  ],
  ['v2', 'TCP6', binary({ family: 0x21, body: six }), { address: '2001:db8:0:0:0:0:0:7', port: 54_321 }],
  ['v2', 'LOCAL', binary({ command: 0, family: 0, body: Buffer.alloc(0) }), undefined],
  ['v2', 'a unix socket', binary({ family: 0x31, body: Buffer.alloc(216) }), undefined],
];

test.each(valid)('%s %s: whole, byte by byte, and with what follows', (version, _, header, client) => {
  const found = { kind: 'header', client, bytes: header.length };
  expect(parseHeader(version, header)).toEqual(found);
  for (let length = 0; length < header.length; length++) expect(parseHeader(version, header.subarray(0, length))).toEqual({ kind: 'more' });
  expect(parseHeader(version, Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\n')]))).toEqual(found);
});

test.each([
  ['v1', 'HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
  ['v1', 'version 2', binary()],
  ['v1', 'another family', line('PROXY TCP5 192.0.2.7 198.51.100.1 1 2')],
  ['v1', 'an address of the other family', line('PROXY TCP4 2001:db8::7 198.51.100.1 1 2')],
  ['v1', 'a zone', line('PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2')],
  ['v1', 'a zone of the destination', line('PROXY TCP6 2001:db8::1 fe80::1%1 1 2')],
  ['v1', 'a port too large', line('PROXY TCP4 192.0.2.7 198.51.100.1 65536 2')],
  ['v1', 'a port with a leading zero', line('PROXY TCP4 192.0.2.7 198.51.100.1 01 2')],
  ['v1', 'too few parts', line('PROXY TCP4 192.0.2.7 198.51.100.1 1')],
  ['v1', 'too many parts', line('PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3')],
  ['v1', 'an endless line', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(100)}`)],
  ['v1', 'a line of 108 bytes', line(`PROXY UNKNOWN ${'x'.repeat(92)}`)],
  ['v2', 'HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
  ['v2', 'version 1', line('PROXY TCP4 192.0.2.7 198.51.100.1 1 2')],
  ['v2', 'version 3', binary({ version: 3 })],
  ['v2', 'a command there is not', binary({ command: 2 })],
  ['v2', 'a length too short for its addresses', binary({ length: 11 })],
  ['v2', 'a length of 64 KiB', binary({ length: 65_535 })],
] as const)('%s: %s is refused', (version, _, bytes) => {
  expect(parseHeader(version, bytes).kind).toBe('invalid');
});

test('never throws, whatever comes', () => {
  fc.assert(
    fc.property(fc.constantFrom('v1' as const, 'v2' as const), fc.uint8Array({ maxLength: 300 }), fc.boolean(), (version, bytes, begins) => {
      const start = begins ? (version === 'v1' ? Buffer.from('PROXY TCP4 ') : binary().subarray(0, 13)) : Buffer.alloc(0);
      expect(['more', 'invalid', 'header']).toContain(parseHeader(version, Buffer.concat([start, bytes])).kind);
    }),
    { numRuns: 2000 },
  );
});
