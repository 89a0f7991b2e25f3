import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { beside } from './beside.ts';

test('the loop goes on until the work is done, and the work’s value comes back', async () => {
  let rounds = 0;
  const loop = async (isOver: () => boolean): Promise<void> => {
    for (; !isOver(); rounds++) await Promise.resolve();
  };
  const work = async (): Promise<string> => {
    while (rounds < 5) await Promise.resolve();
    return 'done';
  };
  expect(await beside(loop, work)).toBe('done');
  const ended = rounds;
  await Promise.resolve();
  expect(rounds).toBe(ended);
});

test('a loop that fails first waits for the work, and is said then', async () => {
  let isDone = false;
  const work = async (): Promise<void> => {
    await sleep(5);
    isDone = true;
  };
  await expect(beside(() => Promise.reject(new Error('loop')), work)).rejects.toThrow('loop');
  expect(isDone).toBe(true);
});

test('work that fails ends the loop', async () => {
  let isEnded = false;
  const loop = async (isOver: () => boolean): Promise<void> => {
    while (!isOver()) await Promise.resolve();
    isEnded = true;
  };
  await expect(beside(loop, () => Promise.reject(new Error('work')))).rejects.toThrow('work');
  expect(isEnded).toBe(true);
});
