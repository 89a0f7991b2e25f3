/**
 * When the kernel had the bytes that were just read, as the run's time. The kernel stamps with the wall clock (SO_TIMESTAMPNS), which is set against the
 * run's clock again every second: a clock that is slewed by 500 ppm, the most that NTP does, is wrong by 0.5 µs a millisecond until then.
 */
import type { Arena } from './arena.ts';
import { type Libc, linux } from './libc.ts';

const setEveryMs = 1000;
const samples = 3;
const headerBytes = 16;
/** What is older than this says that the wall clock was moved, not that the bytes waited. */
const ageMsMax = 10_000;

export class ArrivalStamps {
  readonly #libc: Libc;
  readonly #arena: Arena;
  readonly #nowMs: () => number;
  #baseSeconds = 0;
  /** Run's time − wall clock, from the base. */
  #offsetMs = 0;
  #setAtMs = Number.NEGATIVE_INFINITY;

  constructor(libc: Libc, arena: Arena, nowMs: () => number) {
    this.#libc = libc;
    this.#arena = arena;
    this.#nowMs = nowMs;
    this.keep(nowMs());
  }

  /** To be called now and then. */
  keep(nowMs: number): void {
    if (nowMs - this.#setAtMs < setEveryMs) return;
    this.#setAtMs = nowMs;
    const { words, at, pointer } = this.#arena;
    let tightestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < samples; i++) {
      const before = this.#nowMs();
      this.#libc.clock_gettime(linux.CLOCK_REALTIME, pointer.timespec);
      const after = this.#nowMs();
      if (after - before >= tightestMs) continue;
      tightestMs = after - before;
      this.#baseSeconds = words[at.timespec / 4] as number;
      this.#offsetMs = (before + after) / 2 - (words[at.timespec / 4 + 2] as number) / 1e6;
    }
  }

  /** Of the message that was read last; undefined where the kernel gave no stamp. Never later than now. */
  read(nowMs: number): number | undefined {
    const { words, at } = this.#arena;
    const length = words[at.message / 4 + 10] as number;
    const control = at.control / 4;
    if (length < headerBytes * 2 || words[control + 2] !== linux.SOL_SOCKET || words[control + 3] !== linux.SO_TIMESTAMPNS) return undefined;
    const ms = ((words[control + 4] as number) - this.#baseSeconds) * 1000 + (words[control + 6] as number) / 1e6 + this.#offsetMs;
    return nowMs - ms > ageMsMax ? undefined : Math.min(ms, nowMs);
  }
}
