import { expect, test } from 'vitest';
import { type LaneName, laneOf, lanes } from './lanes.ts';
import type { Job } from './line.ts';
import { createTurns } from './turns.ts';

/** A loop on its own clock: each job takes so long, at once or in the turn behind it. */
function loop({ jobMs = 1 } = {}) {
  let nowMs = 0;
  const full = new Set<LaneName>();
  let next: (() => void)[] = [];
  const told: string[] = [];
  const gone = new Set<string>();
  const turns = createTurns({
    monotonicMs: () => nowMs,
    busyMs: () => nowMs,
    hasRoom: ({ name }) => !full.has(name),
    soon: (callback) => void next.push(callback),
  });
  const ask = (lane: LaneName, name: string, isLater = false): void => {
    const tell = (what: string) => (): void => {
      told.push(`${name} ${what}`);
      if (what === 'run') nowMs += jobMs;
    };
    const job: Job = { run: tell('run'), refuse: tell('refused'), drop: tell('dropped'), isGone: () => gone.has(name) };
    turns.add(laneOf(lane), job, isLater);
  };
  const turn = (): number => {
    const before = told.length;
    const due = next;
    next = [];
    for (const callback of due) callback();
    return told.length - before;
  };
  /** Until a job's cost is known. */
  const settle = (): void => {
    for (let i = 0; i < 100; i++) {
      ask('ingest', 'first');
      turn();
    }
    told.length = 0;
  };
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { turns, ask, turn, settle, told, gone, full, pass };
}

test('what comes while there is room begins at once, and a turn begins as many as four milliseconds of work', () => {
  const { ask, turn, settle, told, turns } = loop({ jobMs: 0.5 });
  settle();
  for (let i = 0; i < 30; i++) ask('ingest', `i${i}`);
  expect(told).toEqual(Array.from({ length: 8 }, (_, i) => `i${i} run`));
  expect([turns.waiting(), turn(), turn(), turn(), turns.waiting()]).toEqual([22, 8, 8, 6, 0]);
  expect(told.at(-1)).toBe('i29 run');
});

test('while connections come a turn begins hardly more than one, so that each brings the next connection sooner', () => {
  const { ask, turn, settle, turns } = loop({ jobMs: 0.5 });
  settle();
  for (let i = 0; i < 30; i++) ask('ingest', `i${i}`);
  turns.connectionCame();
  expect([turn(), turn()]).toEqual([1, 8]);
});

test('in a crowd that does not end one begins for every sixteen connections, however dear', () => {
  const { ask, turn, settle, turns } = loop({ jobMs: 20 });
  settle();
  for (let i = 0; i < 30; i++) ask('ingest', `i${i}`);
  let began = 0;
  for (let i = 0; i < 160; i++) {
    turns.connectionCame();
    began += turn();
  }
  expect(began).toBeGreaterThanOrEqual(9);
  expect(began).toBeLessThanOrEqual(11);
});

test('what the loop does while nobody asks is nobody’s cost', () => {
  const { ask, turn, settle, turns, pass } = loop({ jobMs: 1 });
  settle();
  pass(60_000);
  for (let i = 0; i < 12; i++) ask('ingest', `i${i}`);
  expect([turn(), turn(), turns.waiting()]).toEqual([4, 4, 0]);
});

test('the highest lane is next, and of each that waits one has its turn', () => {
  const { ask, turn, settle, told } = loop();
  settle();
  for (let i = 0; i < 4; i++) ask('read', `first${i}`);
  told.length = 0;
  for (const lane of ['export', 'registration', 'read', 'ingest'] as const) for (let i = 0; i < 3; i++) ask(lane, `${lane}${i}`);
  expect(told).toEqual([]);
  turn();
  expect(told).toEqual(['ingest0 run', 'read0 run', 'registration0 run', 'export0 run']);
  told.length = 0;
  turn();
  expect(told).toEqual(['ingest1 run', 'read1 run', 'registration1 run', 'export1 run']);
});

test('health never waits', () => {
  const { ask, settle, told } = loop({ jobMs: 10 });
  settle();
  for (let i = 0; i < 10; i++) ask('ingest', `i${i}`);
  ask('health', 'h');
  expect(told).toEqual(['i0 run', 'h run']);
});

test('the oldest is next as long as nobody leaves, and who waited too long in a line that stands is refused', () => {
  const { ask, turn, settle, told, pass } = loop({ jobMs: 4 });
  settle();
  for (let i = 0; i < 4; i++) ask('registration', `r${i}`);
  pass(2000);
  for (let i = 4; i < 8; i++) ask('registration', `r${i}`);
  turn();
  expect(told).toEqual(['r0 run', 'r1 run']);
  pass(1000);
  for (const name of ['late', 'later']) ask('registration', name);
  turn();
  expect(told.splice(0)).toEqual(['r0 run', 'r1 run', ...[2, 3, 4, 5, 6, 7].map((i) => `r${i} refused`), 'late run']);
  pass(laneOf('registration').waitsMs);
  turn();
  expect(told).toEqual(['later refused']);
});

test('a burst is worked off, however slowly', () => {
  const { ask, turn, settle, told, turns, pass } = loop({ jobMs: 4 });
  settle();
  for (let i = 0; i < 80; i++) ask('registration', `r${i}`);
  while (turns.waiting() > 0) {
    pass(30);
    turn();
  }
  expect(told).toEqual(Array.from({ length: 80 }, (_, i) => `r${i} run`));
});

test('where some have left the newest is next, once the others wait for long', () => {
  const { ask, turn, settle, told, gone, pass } = loop({ jobMs: 4 });
  settle();
  for (let i = 0; i < 8; i++) ask('registration', `r${i}`);
  for (const name of ['r1', 'r2', 'r3']) gone.add(name);
  turn();
  pass(50);
  turn();
  pass(100);
  turn();
  turn();
  expect(told).toEqual(['r0 run', 'r1 dropped', 'r2 dropped', 'r3 dropped', 'r4 run', 'r5 run', 'r7 run', 'r6 run']);
});

test('where clients leave, those after them are refused after half the time that these gave, until nobody has left for long', () => {
  const { ask, turn, settle, told, gone, pass } = loop({ jobMs: 4 });
  settle();
  ask('registration', 'now');
  for (const name of ['x', 'y', 'z']) {
    ask('registration', name);
    gone.add(name);
  }
  pass(230);
  ask('registration', 'a');
  turn();
  expect(told.splice(0)).toEqual(['now run', 'x dropped', 'y dropped', 'z dropped', 'a run']);
  // The turn took 4 ms, and those who left had given 230.
  for (const name of ['b', 'c', 'd', 'e']) ask('registration', name);
  pass(119);
  turn();
  expect(told.splice(0)).toEqual(['b refused', 'c refused', 'd refused', 'e refused']);
  pass(6000);
  for (const name of ['f', 'g', 'h']) ask('registration', name);
  pass(119);
  turn();
  expect(told.splice(0)).not.toContain('f refused');
});

test('nothing is done for who has gone while he waited', () => {
  const { ask, turn, settle, told, gone } = loop({ jobMs: 4 });
  settle();
  for (let i = 0; i < 3; i++) ask('read', `r${i}`);
  gone.add('r1');
  turn();
  turn();
  expect(told).toEqual(['r0 run', 'r1 dropped', 'r2 run']);
});

test('without room a lane waits, late ones are refused, and nobody turns the loop for it', () => {
  const { ask, turn, settle, told, full, pass, turns } = loop();
  settle();
  full.add('ingest');
  ask('ingest', 'a');
  ask('read', 'r');
  expect([turn(), told, turn(), turn()]).toEqual([1, ['r run'], 0, 0]);
  turns.wake();
  expect(turn()).toBe(0);
  pass(3001);
  ask('ingest', 'b');
  turn();
  expect(told).toEqual(['r run', 'a refused']);
  full.clear();
  turns.wake();
  turn();
  expect(told.at(-1)).toBe('b run');
});

test('what is to wait for the next turn does, though there is room', () => {
  const { ask, turn, told } = loop();
  ask('read', 'r', true);
  expect(told).toEqual([]);
  turn();
  expect(told).toEqual(['r run']);
});

test('every one that came is run, refused or dropped once, whatever comes in whatever order', () => {
  let seed = 7;
  const random = (): number => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const { ask, turn, told, gone, pass, turns } = loop({ jobMs: 0.3 });
  const names: string[] = [];
  for (let round = 0; round < 400; round++) {
    for (let i = Math.floor(random() * 40); i > 0; i--) {
      const name = `n${names.length}`;
      names.push(name);
      if (random() < 0.1) gone.add(name);
      ask((lanes[Math.floor(random() * lanes.length)] as (typeof lanes)[number]).name, name, random() < 0.1);
    }
    if (random() < 0.1) turns.connectionCame();
    if (random() < 0.05) pass(300);
    turn();
  }
  turns.close();
  expect(turns.waiting()).toBe(0);
  expect(told.map((text) => text.split(' ')[0]).sort()).toEqual(names.sort());
  expect(['run', 'refused', 'dropped'].every((what) => told.some((text) => text.endsWith(what)))).toBe(true);
});
