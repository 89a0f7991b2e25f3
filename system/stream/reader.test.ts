import { expect, test } from 'vitest';
import { encodeFrame } from './encode.ts';
import { createFrameReader } from './reader.ts';

const bytesOf = (n: number): Buffer => encodeFrame('ndjson', { t: 'put', ch: 'devices', k: `k${n}`, ts: 't', d: { text: 'ü\n{"', n } });
const keysOf = async (frames: AsyncIterable<{ readonly t: string }>): Promise<readonly unknown[]> => {
  const keys: unknown[] = [];
  for await (const frame of frames) keys.push('k' in frame ? frame.k : frame.t);
  return keys;
};

test('gives every frame in order, however many a write had, and ends with the outlet', async () => {
  const { outlet, frames } = createFrameReader();
  const reading = keysOf(frames);
  outlet.write('');
  outlet.write(bytesOf(0));
  outlet.write(Buffer.concat([bytesOf(1), bytesOf(2), bytesOf(3)]));
  outlet.cork();
  outlet.write(bytesOf(4));
  outlet.write(bytesOf(5));
  outlet.uncork();
  outlet.end(Buffer.from('0\r\n\r\n'));
  expect(await reading).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5']);
});

test('who does not read holds the writer up, and who reads again lets it go on', async () => {
  const { outlet, frames } = createFrameReader();
  let sent = 0;
  while (outlet.write(bytesOf(sent++)));
  expect(outlet.writableNeedDrain).toBe(true);
  const drained = new Promise((resolve) => outlet.once('drain', resolve));
  for (let i = 0; i < sent; i++) expect(await frames.next()).toMatchObject({ value: { k: `k${i}` } });
  void frames.next();
  await drained;
  expect(outlet.writableLength).toBe(0);
});

test('to stop does not wait for a frame, and closes the outlet', async () => {
  const { outlet, frames } = createFrameReader();
  const closed = new Promise((resolve) => outlet.once('close', resolve));
  const waiting = frames.next();
  await frames.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
  await closed;
  expect(await frames.next()).toEqual({ done: true, value: undefined });
});
