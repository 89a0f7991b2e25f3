/**
 * The store's time, for all that lasts: what is kept, leased or due. It is real time, counted by the machine's uptime from an anchor that the data
 * carry, so that it never goes back, and no step of the wall clock moves it. While the machine is off it stands. Times that somebody
 * reads are the wall clock's.
 */
import { readFileSync } from 'node:fs';

export type MachineClock = {
  readonly wallMs: () => number;
  /** Since the machine started, sleep included; the same in all its processes. */
  readonly uptimeMs: () => number;
  /** Another one after each start of the machine. */
  readonly boot: string;
};

/** What the data carry: `storeMs` was the time when the machine of `boot` was `uptimeMs` old. */
export type TimeAnchor = { readonly boot: string; readonly uptimeMs: number; readonly storeMs: number };

export type StoreTime = {
  readonly nowMs: () => number;
  /** How far the wall clock is ahead. It changes where that one is put. */
  readonly offsetMs: () => number;
};

/** In another life of the machine time goes on from where it stood: only a clock that may be wrong knows how long that was. */
export function anchorNow(before: TimeAnchor | undefined, machine: MachineClock): TimeAnchor {
  const { boot } = machine;
  const uptimeMs = machine.uptimeMs();
  if (before === undefined) return { boot, uptimeMs, storeMs: machine.wallMs() };
  const sinceMs = before.boot === boot ? Math.max(0, uptimeMs - before.uptimeMs) : 0;
  return { boot, uptimeMs, storeMs: before.storeMs + sinceMs };
}

export function createStoreTime(anchor: TimeAnchor, machine: MachineClock): StoreTime {
  let lastMs = anchor.storeMs;
  const nowMs = (): number => {
    lastMs = Math.max(lastMs, Math.floor(anchor.storeMs + machine.uptimeMs() - anchor.uptimeMs));
    return lastMs;
  };
  return { nowMs, offsetMs: () => machine.wallMs() - nowMs() };
}

/** A monotonic clock may be faked or stand still in sleep: it only counts between two looks at the kernel's. */
const lookEveryMs = 1000;

export function createMachineClock(): MachineClock {
  const boot = readText('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let lookedMs = 0;
  const uptimeMs = (): number => {
    const nowMs = performance.now();
    const sinceMs = nowMs - lookedAtMs;
    if (sinceMs >= 0 && sinceMs < lookEveryMs) return lookedMs + sinceMs;
    lookedAtMs = nowMs;
    lookedMs = kernelUptimeMs();
    return lookedMs;
  };
  return { boot, wallMs: () => Date.now(), uptimeMs };
}

function kernelUptimeMs(): number {
  const seconds = Number(readText('/proc/uptime')?.split(' ', 1)[0]);
  return Number.isFinite(seconds) ? seconds * 1000 : Number(process.hrtime.bigint() / 1_000_000n);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
