import { promises as dns } from 'node:dns';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { boundLookups } from './lookups.ts';
import { createResolve, type Resolve } from './resolve.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const timeoutMs = 5000;
const answers = ['1.1.1.1'];

/** Names that begin with `hang` answer when they are told to. */
function machine() {
  const asked: string[] = [];
  const held = new Map<string, () => void>();
  const ask: Resolve = async (host) => {
    asked.push(host);
    if (host.startsWith('hang')) await new Promise<void>((end) => held.set(host, end));
    return answers;
  };
  return {
    asked,
    end: (host: string) => held.get(host)?.(),
    resolve: boundLookups(ask, { timeoutMs, quickMsMax: 1000, monotonicMs: () => performance.now() }),
  };
}
const outcomeOf = (lookup: Promise<unknown>): Promise<unknown> => lookup.catch(() => 'given up');

test('names that hang occupy one lookup, whatever their number; what answers goes on', async () => {
  const { resolve, asked } = machine();
  expect(await resolve('quick')).toEqual(answers);
  await vi.advanceTimersByTimeAsync(0);
  const hanging = ['hang1', 'hang1', 'hang2', 'hang3'].map((host) => outcomeOf(resolve(host)));
  expect(await resolve('quick')).toEqual(answers);
  await vi.advanceTimersByTimeAsync(timeoutMs);
  expect(await Promise.all(hanging)).toEqual(Array.from(hanging, () => 'given up'));
  // Its lookup still hangs: another would hang as well.
  expect(await outcomeOf(resolve('hang1'))).toBe('given up');
  expect(asked).toEqual(['quick', 'hang1', 'quick']);
});

test('a new name comes before those that were slow the last time', async () => {
  const { resolve, asked, end } = machine();
  const first = outcomeOf(resolve('hang1'));
  await vi.advanceTimersByTimeAsync(timeoutMs);
  expect(await first).toBe('given up');
  end('hang1');
  await vi.advanceTimersByTimeAsync(0);
  const second = outcomeOf(resolve('hang2'));
  const [slow, fresh] = [outcomeOf(resolve('hang1')), resolve('new')];
  end('hang2');
  expect(await Promise.all([second, fresh])).toEqual([answers, answers]);
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toEqual(['hang1', 'hang2', 'new', 'hang1']);
  end('hang1');
  expect(await slow).toEqual(answers);
});

test('an error of the lookup is the answer', async () => {
  const failing = boundLookups(() => Promise.reject(new Error('ENOTFOUND')), { timeoutMs, quickMsMax: 1000, monotonicMs: () => performance.now() });
  await expect(failing('x')).rejects.toThrow('ENOTFOUND');
  expect(vi.getTimerCount()).toBe(0);
});

test('the machine’s own lookups are bounded', async () => {
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation(() => new Promise(() => undefined));
  onTestFinished(() => lookup.mockRestore());
  const resolve = createResolve(undefined);
  const hanging = ['one.test', 'two.test'].map((host) => outcomeOf(resolve(host)));
  await vi.advanceTimersByTimeAsync(timeoutMs);
  expect(await Promise.all(hanging)).toEqual(['given up', 'given up']);
  expect(lookup).toHaveBeenCalledTimes(1);
  expect(await resolve('[::1]')).toEqual(['::1']);
});
