/** How long processes ran, and how long they waited for a core though they had something to do: this one and all that it started. */
import { readFileSync } from 'node:fs';
import { entries } from '#harness/metrics/proc.ts';
import { childrenOf } from '#harness/topology/processes.ts';

export type Waits = { readonly ranMs: number; readonly waitedMs: number };
type Threads = ReadonlyMap<string, Waits>;

/** Each call says what was since the call before. Undefined where the machine does not tell. */
export function watchWaits(): () => Waits | undefined {
  let before = readThreads(process.pid);
  return () => {
    const now = readThreads(process.pid);
    const gained = [...now].map(([thread, { ranMs, waitedMs }]): Waits => {
      const { ranMs: ranBeforeMs, waitedMs: waitedBeforeMs } = before.get(thread) ?? { ranMs: 0, waitedMs: 0 };
      return { ranMs: ranMs - ranBeforeMs, waitedMs: waitedMs - waitedBeforeMs };
    });
    before = now;
    return gained.length === 0 ? undefined : gained.reduce((sum, one) => ({ ranMs: sum.ranMs + one.ranMs, waitedMs: sum.waitedMs + one.waitedMs }));
  };
}

function readThreads(pid: number): Threads {
  const own = entries(`/proc/${pid}/task`).flatMap((thread): readonly (readonly [string, Waits])[] => {
    const waits = readWaits(`/proc/${pid}/task/${thread}/schedstat`);
    return waits === undefined ? [] : [[thread, waits]];
  });
  return new Map([...own, ...childrenOf(pid).flatMap((child) => [...readThreads(child)])]);
}

/** A thread that ended meanwhile has nothing to say. */
function readWaits(path: string): Waits | undefined {
  try {
    const [ranNs = 0, waitedNs = 0] = readFileSync(path, 'utf8').split(' ').map(Number);
    return { ranMs: ranNs / 1e6, waitedMs: waitedNs / 1e6 };
  } catch {
    return undefined;
  }
}
