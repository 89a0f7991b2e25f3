// What one worker of the engine is given of a plan.
import type { EngineInput } from '#harness/engine/engine.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';

/** What a worker knows of the plan; its devices only, by `floor(device / workers)`. */
export type WorkerInput = Omit<EngineInput, 'operationsModule' | 'operationsData' | 'devices'> & {
  readonly worker: number;
  readonly deviceCount: number;
  readonly devices: readonly DeviceCredentials[];
  /** Of this worker: what the process may have open, shared out. */
  readonly connectionsMax: number;
};

/** This worker's share of the groups. At least one, so more workers than connections means more connections. */
export function groupsOfWorker(connections: number, worker: number, workers: number): number {
  return Math.max(1, Math.floor(connections / workers) + (worker < connections % workers ? 1 : 0));
}
