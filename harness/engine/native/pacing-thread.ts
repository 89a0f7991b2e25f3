/**
 * Sleeps below the millisecond, for all of the engine's threads: the event loop's own timers have steps of 1 ms, and turn any plan into
 * bursts. It sleeps until the next arrival is due and not a fixed tick, so a slow plan costs next to nothing.
 */
import { workerData } from 'node:worker_threads';
import { createRunClock } from './run-clock.ts';
import { createSharedPace, sleepMaxMs, stopWord, turnWord } from './shared-pace.ts';
import { lowerTimerSlack } from './timer-slack.ts';

export type PacingThreadData = { readonly memory: SharedArrayBuffer; readonly workers: number; readonly originNs: bigint; readonly sleepMinMs: number };

function pace({ memory, workers, originNs, sleepMinMs }: PacingThreadData): void {
  const { words, dueMs } = createSharedPace(workers, memory);
  const clock = createRunClock(originNs);
  let lastForAllMs = clock();
  while (Atomics.load(words, stopWord) === 0) {
    const nowMs = clock();
    const forAll = nowMs - lastForAllMs >= sleepMaxMs;
    if (forAll) lastForAllMs = nowMs;
    let nextMs = lastForAllMs + sleepMaxMs;
    for (let worker = 0; worker < workers; worker++) {
      const due = dueMs[worker]!;
      if (forAll || due <= nowMs) {
        Atomics.add(words, turnWord(worker), 1);
        Atomics.notify(words, turnWord(worker));
      }
      // One that is due is told, and says soon after when its next one is: look again after the shortest sleep.
      if (due < nextMs) nextMs = due;
    }
    Atomics.wait(words, stopWord, 0, Math.max(sleepMinMs, nextMs - clock()));
  }
}

lowerTimerSlack();
pace(workerData as PacingThreadData);
