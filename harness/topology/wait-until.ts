import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 20;

/** Rejects with what did not come to pass within the limit. */
export async function waitUntil(isSo: () => boolean, { limitMs, what }: { readonly limitMs: number; readonly what: string }): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`${what} took longer than ${Math.round(limitMs / 1000)} s`);
    await sleep(pollMs);
  }
}
