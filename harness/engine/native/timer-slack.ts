import { readlinkSync, writeFileSync } from 'node:fs';

/** The kernel may round a sleep up by 50 µs to save wake-ups (timer slack). A thread may lower its own where /proc lets it; elsewhere arrivals are that much later. */
export function lowerTimerSlack(): void {
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1);
    writeFileSync(`/proc/${thread}/timerslack_ns`, '1000');
  } catch {
    // Not Linux, or not allowed.
  }
}
