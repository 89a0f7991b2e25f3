/** How many connections one process may hold before descriptors run out: at the limit even a metric's read of /proc throws. */
import { readFileSync } from 'node:fs';

/** For the store, logs, the admin listener, and what a library opens by the way. */
const descriptorsKept = 256;

/** Undefined where the system does not say. */
export function connectionsMax(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Math.max(16, Number(soft) - descriptorsKept);
  } catch {
    return undefined;
  }
}
