import { expect, test } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import type { ProbeMessage, ProbeSample } from './messages.ts';
import { type Ask, Prober } from './prober.ts';

const good = { kind: 'good', state: arrivalState.acknowledged, serviceMicros: 5 } as const;

/** Twelve instants, 10 ms apart, on a clock that moves from one to the next; `onInstant` is called before each. */
async function probe({ ask, openMax = 100, onInstant = () => undefined }: { ask: Ask; openMax?: number; onInstant?: (nowMs: number, prober: Prober) => void }) {
  const said: ProbeMessage[] = [];
  let nowMs = 25;
  let planned = 0;
  const prober = new Prober({
    nextMs: () => ++planned * 10,
    nowMs: () => nowMs,
    until: async (dueMs) => {
      nowMs = dueMs;
      onInstant(nowMs, prober);
    },
    isStopping: () => nowMs > 120,
    ask,
    openMax,
    say: (message) => said.push(message),
  });
  await prober.run();
  return { said, samples: said.flatMap((message) => (message.kind === 'samples' ? message.samples : [])) };
}

const numbers = (samples: readonly ProbeSample[]): readonly number[] => samples.map(({ arrival }) => arrival).toSorted((a, b) => a - b);

test('it sends at every instant though nothing is answered until the last, and tells of each by its number', async () => {
  const answers: (() => void)[] = [];
  const sentAtMs: number[] = [];
  const { said, samples } = await probe({
    ask: async (arrival, onWritten) => {
      onWritten();
      sentAtMs.push((arrival + 1) * 10);
      await new Promise<void>((resolve) => answers.push(resolve));
      return good;
    },
    // The answers come in the opposite order, and only now.
    onInstant: (nowMs) => nowMs > 120 && answers.toReversed().forEach((answer) => void answer()),
  });
  expect(sentAtMs).toEqual([30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
  expect(numbers(samples)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(said[0]).toEqual({ kind: 'begun', arrival: 2 });
  expect(said.at(-1)).toEqual({ kind: 'done', arrival: 12 });
});

test('what is answered while it hands over is handed over the next time', async () => {
  let release: () => void = () => undefined;
  const { samples } = await probe({
    ask: async (arrival) => {
      if (arrival === 4) await new Promise<void>((resolve) => (release = resolve));
      return good;
    },
    onInstant: (nowMs, prober) => {
      prober.handOver();
      if (nowMs === 100) release();
    },
  });
  expect(numbers(samples)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('an instant that finds as many open as may be is said to be unsent, and one that broke is unknown', async () => {
  const { samples } = await probe({
    openMax: 1,
    ask: async (arrival, onWritten) => {
      onWritten();
      if (arrival === 2) throw new Error('cut');
      await new Promise((resolve) => setImmediate(resolve));
      return good;
    },
  });
  expect(samples.find(({ arrival }) => arrival === 2)).toEqual({ arrival: 2, kind: 'failed', state: arrivalState.unknown, behindMs: 0 });
  expect(samples.filter(({ kind }) => kind === 'unsent').every(({ state }) => state === arrivalState.notFired)).toBe(true);
  expect(numbers(samples)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});
