/**
 * The ruler's own process: it does the same piece of work again and again, and says how long it took and how late it was woken.
 * It rests nineteen times as long as it works, so that it takes at most a twentieth of a core on any machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { workMsNominal } from './ruler-work.ts';

const rounds = 4_000_000;
const warmUps = 10;
const restPerWork = 19;

function work(): number {
  const beganMs = performance.now();
  let x = 1;
  for (let i = 0; i < rounds; i++) x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
  // The result is used, so that no compiler leaves the work out.
  return performance.now() - beganMs + (x === 0 ? Number.MIN_VALUE : 0);
}

process.once('disconnect', () => process.exit(0));
for (let i = 0; i < warmUps; i++) work();
let restMs = workMsNominal;
for (;;) {
  const dueMs = performance.now() + restMs;
  await sleep(restMs);
  const lateMs = Math.max(0, performance.now() - dueMs);
  const workMs = work();
  process.send?.({ workMs, lateMs });
  restMs = Math.min(1000, workMs * restPerWork);
}
