/**
 * Memory between the pacing thread and the engine's threads: when each worker's next arrival is due, and a counter for each worker
 * that is raised when it should take its turn.
 */
export type SharedPace = {
  readonly memory: SharedArrayBuffer;
  /** [0]: 1 = the pacing thread ends. [1 + worker]: turns called so far. */
  readonly words: Int32Array;
  /** By worker, milliseconds since origin. Written plainly: an aligned double is not torn on any platform that runs Node, and a stale one costs one look. */
  readonly dueMs: Float64Array;
};

export const stopWord = 0;
export const turnWord = (worker: number): number => 1 + worker;

export function createSharedPace(workers: number, memory = new SharedArrayBuffer(workers * 8 + (workers + 1) * 4)): SharedPace {
  return { memory, dueMs: new Float64Array(memory, 0, workers), words: new Int32Array(memory, workers * 8, workers + 1) };
}

/** By default no sleep of a thread that is called is shorter. Measured: see README, "What a wake-up costs". */
export const calledSleepMinMs = 0.19;

/** An engine's thread takes a turn at least this often: it finds timeouts, and a longer gap can only be a stop. */
export const sleepMaxMs = 4;
