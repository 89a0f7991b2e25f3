import { expect, test } from 'vitest';
import { dayMs, type Metered } from '#system/store/store.ts';
import { createMeter } from './meter.ts';

const day = 20_000;
const midnight = (day + 1) * dayMs;

function metered(startMs: number) {
  const rows = new Map<string, Metered>();
  const state = { nowMs: startMs, fails: false, writes: 0 };
  const putMetered = async (row: Metered): Promise<void> => {
    state.writes++;
    if (state.fails) throw new Error('full');
    rows.set(`${row.account} ${row.day}`, row);
  };
  const meter = createMeter({ store: { putMetered }, clock: { wallMs: () => state.nowMs, monotonicMs: () => state.nowMs }, source: 's' });
  const shown = () => Object.fromEntries([...rows].map(([name, { calls, streamMs }]) => [name, [calls, streamMs]]));
  return { meter, state, shown };
}

test('calls and stream time fall on the days they were on, over midnight', async () => {
  const { meter, state, shown } = metered(midnight - 1000);
  meter.call('a');
  meter.streamOpened('a');
  meter.streamOpened('a');
  state.nowMs = midnight - 400;
  meter.streamEnded('a');
  await meter.flush();
  expect(shown()).toEqual({ [`a ${day}`]: [1, 1200] });
  state.nowMs = midnight + 500;
  meter.call('a');
  await meter.flush();
  expect(shown()).toEqual({ [`a ${day}`]: [1, 1600], [`a ${day + 1}`]: [1, 500] });
  state.nowMs = midnight + 2 * dayMs;
  await meter.flush();
  expect(shown()).toMatchObject({ [`a ${day + 1}`]: [1, dayMs], [`a ${day + 2}`]: [0, dayMs] });
});

test('what could not be written is written with the next, whole days too, and nothing twice', async () => {
  const { meter, state, shown } = metered(midnight - 1000);
  meter.call('a');
  meter.call('b');
  state.nowMs = midnight + 1;
  meter.call('a');
  state.fails = true;
  await expect(meter.flush()).rejects.toThrow('full');
  await expect(meter.flush()).rejects.toThrow('full');
  state.fails = false;
  await meter.flush();
  expect(shown()).toEqual({ [`a ${day}`]: [1, 0], [`b ${day}`]: [1, 0], [`a ${day + 1}`]: [1, 0] });
  const { writes } = state;
  await meter.flush();
  expect(state.writes).toBe(writes);
});

test('a clock that is set back counts no time twice', async () => {
  const { meter, state, shown } = metered(midnight - 5000);
  meter.streamOpened('a');
  state.nowMs += 1000;
  await meter.flush();
  state.nowMs -= 3000;
  await meter.flush();
  state.nowMs += 4000;
  await meter.flush();
  expect(shown()).toEqual({ [`a ${day}`]: [0, 2000] });
});

test('an account that does nothing on a day is not held, and a clock that is set back over midnight undoes no day that was written', async () => {
  const { meter, state, shown } = metered(midnight - 1000);
  meter.call('a');
  meter.call('a');
  meter.streamOpened('b');
  state.nowMs = midnight + 10;
  await meter.flush();
  expect([meter.accounts(), shown()]).toEqual([1, { [`a ${day}`]: [2, 0], [`b ${day}`]: [0, 1000], [`b ${day + 1}`]: [0, 10] }]);
  state.nowMs = midnight - 10;
  meter.call('a');
  meter.streamEnded('b');
  await meter.flush();
  expect([meter.accounts(), shown()]).toMatchObject([2, { [`a ${day}`]: [2, 0], [`a ${day + 1}`]: [1, 0] }]);
  state.nowMs = midnight + dayMs;
  await meter.flush();
  expect(meter.accounts()).toBe(0);
});

test('callers are told once', () => {
  const { meter } = metered(midnight);
  meter.call('a');
  meter.call('a');
  meter.streamOpened('b');
  expect(meter.takeCallers()).toEqual(['a']);
  expect(meter.takeCallers()).toEqual([]);
});
