import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LogEvent } from '#system/store/store.ts';
import { packManifest, packSlice, unpackManifest, unpackSegment } from './segment.ts';

const event = fc.record({
  device: fc.string({ minLength: 1, maxLength: 8 }),
  id: fc.string({ minLength: 1, maxLength: 20 }),
  note: fc.string(),
  receivedAtMs: fc.integer({ min: Date.parse('2026-11-24T22:00:00Z'), max: Date.parse('2026-11-26T02:00:00Z') }),
});
const logged = (all: readonly { device: string; id: string; note: string; receivedAtMs: number }[]): readonly LogEvent[] =>
  all.map(({ note, ...rest }, i) => {
    const bytes = Buffer.from(JSON.stringify({ id: rest.id, data: { note, x: ',"event":' } }));
    return { partition: 7, account: 'a', position: String(i).padStart(16, '0'), bytes, ...rest };
  });
const plain = (events: readonly LogEvent[]) => events.map(({ bytes, ...rest }) => ({ ...rest, text: Buffer.from(bytes).toString('utf8') }));

test('what is packed comes back to the byte, each event in the segment of its day and once, within the size', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), fc.integer({ min: 1, max: 500 }), (all, bytesMax) => {
      const events = logged(all);
      const packed = packSlice({ bucket: 7, from: '', to: 'z', name: 'n', events }, bytesMax);
      const back = packed.flatMap(({ segment, bytes }) => {
        const own = unpackSegment(bytes, 7);
        expect(own).toHaveLength(segment.events);
        for (const { receivedAtMs } of own) expect(new Date(receivedAtMs).toISOString().slice(0, 10)).toBe(segment.day);
        expect(own.length === 1 || own.reduce((sum, one) => sum + one.bytes.length, 0) <= bytesMax).toBe(true);
        return own;
      });
      expect(plain([...back].sort((a, b) => (a.position < b.position ? -1 : 1)))).toEqual(plain(events));
      expect(new Set(packed.map(({ segment }) => segment.key)).size).toBe(packed.length);
      const manifest = { version: 1 as const, bucket: 7, from: '', to: 'z', segments: packed.map(({ segment }) => segment) };
      expect(unpackManifest(packManifest(manifest))).toEqual(manifest);
    }),
  );
});

test('an event that is no single line, as older logs may have, is packed as one', () => {
  const [one] = logged([{ device: 'd', id: 'i', note: 'n', receivedAtMs: Date.parse('2026-11-25T10:00:00Z') }]) as [LogEvent];
  const bytes = Buffer.from('{"id":"i",\n"data":{"x":\r\n{"position":"9","account_id":"b"}\n}}');
  const [packed] = packSlice({ bucket: 7, from: '', to: 'z', name: 'n', events: [{ ...one, bytes }] }, 1000);
  expect(plain(unpackSegment(packed?.bytes ?? Buffer.alloc(0), 7))).toEqual(
    plain([{ ...one, bytes: Buffer.from(bytes.toString().replaceAll(/[\r\n]/g, ' ')) }]),
  );
});

test('a manifest of another kind, and a segment that ends within a line, are refused', () => {
  expect(() => unpackManifest(Buffer.from('{"version":2}'))).toThrow('no manifest');
  const [packed] = packSlice({ bucket: 1, from: '', to: 'z', name: 'n', events: logged([{ device: 'd', id: 'i', note: '', receivedAtMs: 0 }]) }, 100);
  expect(() => unpackSegment((packed?.bytes ?? Buffer.alloc(0)).subarray(0, 20), 1)).toThrow();
});
