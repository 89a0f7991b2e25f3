import { expect, test } from 'vitest';
import type { AppendResult } from '#system/store/store.ts';
import { createAppendQueue } from './append-queue.ts';
import { groupCommandsMax, groupWaitMsMax } from './company.ts';
import type { ToThread } from './messages.ts';

const eventOf = (id: string) => ({ account: 'a', device: 'd', receivedAtMs: 0, rejectedCount: 0, events: [{ id, bytes: Buffer.from('{}') }] });

/** A queue on a clock of its own; `sent` are the groups by the time at which they went over. */
function queueOnClock() {
  let nowMs = 0;
  let due: { readonly atMs: number; readonly run: () => void }[] = [];
  const sent: { readonly atMs: number; readonly commands: number }[] = [];
  const ask = (make: (id: number) => ToThread): Promise<never> => {
    const message = make(0);
    if (message.kind !== 'append') throw new Error(`a queue of appends sent ${message.kind}`);
    sent.push({ atMs: nowMs, commands: message.extras.length });
    const results = message.extras.map((): AppendResult => ({ kind: 'appended', accepted: 1, duplicate: 0, position: '' }));
    return Promise.resolve(results as never);
  };
  const after = (ms: number) => (run: () => void) => void due.push({ atMs: nowMs + ms, run });
  const queue = createAppendQueue({ ask: ask as never }, { nowMs: () => nowMs, afterTurn: after(0), afterMillisecond: after(1) });
  const pass = (ms: number): void => {
    const untilMs = nowMs + ms;
    const nextDue = () => due.toSorted((a, b) => a.atMs - b.atMs).find(({ atMs }) => atMs <= untilMs);
    for (let next = nextDue(); next !== undefined; next = nextDue()) {
      const running = next;
      due = due.filter((each) => each !== running);
      nowMs = Math.max(nowMs, running.atMs);
      running.run();
    }
    nowMs = untilMs;
  };
  /** Evenly, one command a turn. */
  const offer = (perSecond: number, lastMs: number): void => {
    for (let i = 0; i < (perSecond * lastMs) / 1000; i++) {
      void queue.add(eventOf(String(i)));
      pass(1000 / perSecond);
    }
  };
  return { queue, pass, offer, sent };
}

test('at a low rate nobody waits: each command goes in the turn in which it came', () => {
  const { offer, sent } = queueOnClock();
  offer(500, 1000);
  expect(sent).toHaveLength(500);
});

test('at a high rate groups gather for their few milliseconds, and no command waits for longer', async () => {
  const { queue, pass, offer, sent } = queueOnClock();
  offer(10_000, 100);
  pass(groupWaitMsMax);
  sent.length = 0;
  offer(10_000, 200);
  pass(groupWaitMsMax);
  expect(sent.reduce((sum, { commands }) => sum + commands, 0)).toBe(2000);
  expect(2000 / sent.length, 'commands a group').toBeGreaterThan(0.8 * groupWaitMsMax * 10);
  let waitedMs = 0;
  const answered = queue.add(eventOf('last')).then(() => waitedMs);
  for (; waitedMs < groupWaitMsMax; waitedMs++) pass(1);
  expect(await answered).toBeLessThanOrEqual(groupWaitMsMax);
});

test('a group that has stopped growing goes: a few clients that wait for their answers are not kept', () => {
  const { queue, pass, offer, sent } = queueOnClock();
  offer(10_000, 100);
  pass(groupWaitMsMax);
  sent.length = 0;
  for (let i = 0; i < 4; i++) void queue.add(eventOf(`few ${i}`));
  pass(1);
  expect(sent.map(({ commands }) => commands)).toEqual([4]);
});

test('a full group does not wait', () => {
  const { queue, pass, offer, sent } = queueOnClock();
  offer(10_000, 100);
  pass(groupWaitMsMax);
  sent.length = 0;
  for (let i = 0; i < groupCommandsMax; i++) void queue.add(eventOf(`many ${i}`));
  pass(0);
  expect(sent.map(({ commands }) => commands)).toEqual([groupCommandsMax]);
});

test('what waits is sent when the store closes, once', async () => {
  const { queue, pass, offer, sent } = queueOnClock();
  offer(10_000, 100);
  pass(groupWaitMsMax);
  sent.length = 0;
  const answer = queue.add(eventOf('last'));
  pass(0);
  expect(sent).toEqual([]);
  queue.send();
  pass(groupWaitMsMax);
  expect(sent.map(({ commands }) => commands)).toEqual([1]);
  expect(await answer).toMatchObject({ kind: 'appended' });
});
