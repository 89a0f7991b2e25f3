import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 5;

/** Rejects with what `trouble` says where it takes longer. */
export async function pollUntil(isSo: () => boolean | Promise<boolean>, withinMs: number, trouble: () => string): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(trouble());
    await sleep(pollMs);
  }
}
