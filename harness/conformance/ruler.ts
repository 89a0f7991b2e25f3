/**
 * How slow this machine is just now, and how long it stopped. A bound on time means a machine that has time: what is late on one that
 * is slow, or busy with others, says nothing about the service.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { workMsNominal } from './ruler-work.ts';
import { type Waits, watchWaits } from './waits.ts';

export type Ruler = {
  /**
   * How many times as long as on a machine that has time things took since then, at least 1: how slow its cores are, times how long
   * processes of ours waited for one.
   */
  readonly slownessSince: (sinceMs: number) => number;
  /** The longest time since then in which a process was not run though it had something to do, this one included. */
  readonly stoppedMsSince: (sinceMs: number) => number;
};

export type RulerReading =
  /** The piece of work of the ruler's process, and how late it was woken for it. */
  | { readonly kind: 'work'; readonly atMs: number; readonly workMs: number; readonly lateMs: number }
  /** This process's own timer. */
  | { readonly kind: 'late'; readonly atMs: number; readonly lateMs: number }
  /** Of all processes of ours since the reading before. */
  | ({ readonly kind: 'waits'; readonly atMs: number } & Waits);

/** For a machine that is as it should be: what unit tests hand in. */
export const quietRuler: Ruler = { slownessSince: () => 1, stoppedMsSince: () => 0 };

const ownTickMs = 20;
const waitsEveryMs = 500;
/** Less than this of running is no measure of waiting. */
const ranMsMin = 20;
/** An hour of readings at a dozen a second. */
const readingsMax = 43_200;

export function rulerOf(readings: readonly RulerReading[]): Ruler {
  const since = (sinceMs: number): readonly RulerReading[] => readings.slice(readings.findLastIndex(({ atMs }) => atMs < sinceMs) + 1);
  // The ruler rests between its readings: a moment that has none has the last one before it.
  const worksSince = (sinceMs: number): readonly number[] => {
    const works = readings.filter((reading) => reading.kind === 'work');
    const own = works.filter(({ atMs }) => atMs >= sinceMs);
    return (own.length > 0 ? own : works.slice(-1)).map(({ workMs }) => workMs).sort((a, b) => a - b);
  };
  /** That of the quicker ones: the others were interrupted, which the waits say better. */
  const usualMsSince = (sinceMs: number): number => {
    const works = worksSince(sinceMs);
    return works[works.length >> 2] ?? workMsNominal;
  };
  const waitingSince = (sinceMs: number): number => {
    const waits = since(sinceMs).filter((reading) => reading.kind === 'waits');
    const ranMs = waits.reduce((sum, one) => sum + one.ranMs, 0);
    return ranMs < ranMsMin ? 1 : 1 + waits.reduce((sum, one) => sum + one.waitedMs, 0) / ranMs;
  };
  return {
    slownessSince: (sinceMs) => Math.max(1, usualMsSince(sinceMs) / workMsNominal) * waitingSince(sinceMs),
    stoppedMsSince: (sinceMs) => {
      const usualMs = usualMsSince(sinceMs);
      const stopOf = (reading: RulerReading): number => {
        if (reading.kind === 'waits') return 0;
        return reading.kind === 'late' ? reading.lateMs : Math.max(reading.lateMs, reading.workMs - usualMs);
      };
      return since(sinceMs).reduce((most, reading) => Math.max(most, stopOf(reading)), 0);
    },
  };
}

/** Resolves with the first reading. The process ends with this one, or with `stop`. */
export async function startRuler(): Promise<Ruler & { readonly stop: () => void }> {
  const readings: RulerReading[] = [];
  const note = (reading: RulerReading): void => {
    readings.push(reading);
    if (readings.length > readingsMax) readings.splice(0, readingsMax / 2);
  };
  const child = fork(fileURLToPath(new URL('./ruler-process.ts', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const first = new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the ruler ended with code ${code}`)));
  });
  child.on('message', (reading: { workMs: number; lateMs: number }) => note({ kind: 'work', atMs: performance.now(), ...reading }));
  // Whoever asks is a process too, and what it reads late looks late.
  let dueMs = performance.now() + ownTickMs;
  const own = setInterval(() => {
    const nowMs = performance.now();
    if (nowMs - dueMs > ownTickMs) note({ kind: 'late', atMs: nowMs, lateMs: nowMs - dueMs });
    dueMs = nowMs + ownTickMs;
  }, ownTickMs);
  own.unref();
  const readWaits = watchWaits();
  const waiting = setInterval(() => {
    const waits = readWaits();
    if (waits !== undefined) note({ kind: 'waits', atMs: performance.now(), ...waits });
  }, waitsEveryMs);
  waiting.unref();
  const stop = (): void => {
    clearInterval(own);
    clearInterval(waiting);
    child.kill('SIGKILL');
  };
  await first.catch((error: unknown) => {
    stop();
    throw error;
  });
  return { ...rulerOf(readings), stop };
}
