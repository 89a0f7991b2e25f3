import { expect, it } from 'vitest';
import { anchorNow, createMachineClock, createStoreTime } from './store-time.ts';

const hourMs = 3_600_000;
function fakeMachine(boot = 'first') {
  const state = { wallMs: 1e12, uptimeMs: 50_000 };
  return { state, machine: { boot, wallMs: () => state.wallMs, uptimeMs: () => state.uptimeMs } };
}

it.each([-72, -1, 1, 72])('a step of the wall clock by %d hours moves it not at all, and is its offset', (hours) => {
  const { state, machine } = fakeMachine();
  const time = createStoreTime(anchorNow(undefined, machine), machine);
  state.wallMs += hours * hourMs;
  expect([time.nowMs(), time.offsetMs()]).toEqual([1e12, hours * hourMs]);
  state.uptimeMs += 5000;
  state.wallMs += 5000;
  expect([time.nowMs(), time.offsetMs()]).toEqual([1e12 + 5000, hours * hourMs]);
});

it('goes on by real time in another process of the same machine, whatever the wall clock says then', () => {
  const { state, machine } = fakeMachine();
  const first = anchorNow(undefined, machine);
  Object.assign(state, { wallMs: 5, uptimeMs: 60_000 });
  const second = anchorNow(first, machine);
  expect(createStoreTime(second, machine).nowMs()).toBe(1e12 + 10_000);
});

it('stands while the machine is off, and never goes back', () => {
  const first = anchorNow(undefined, fakeMachine().machine);
  const { state, machine } = fakeMachine('second');
  Object.assign(state, { wallMs: 2e12, uptimeMs: 9 });
  const time = createStoreTime(anchorNow(first, machine), machine);
  expect(time.nowMs()).toBe(1e12);
  state.uptimeMs = 20;
  expect(time.nowMs()).toBe(1e12 + 11);
  state.uptimeMs = 3;
  expect(time.nowMs()).toBe(1e12 + 11);
});

it('this machine has an uptime that goes on, and a name for its life', () => {
  const machine = createMachineClock();
  const first = machine.uptimeMs();
  expect([first > 0, machine.uptimeMs() >= first, machine.boot === createMachineClock().boot]).toEqual([true, true, true]);
});
