/** What our engine is given in a bench: everything on, as a scenario of single events has it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArrivalPhase, EngineInput, EngineRun } from '#harness/engine/engine.ts';
import { token } from './peers/peer.ts';

const devices = 10_000;
const timeoutMs = 5000;

export type EngineLoad = {
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  readonly connections: number;
  readonly ratePerSecond: number;
  /** Seconds of each phase, by name, one after the other. */
  readonly phases: Readonly<Record<string, number>>;
};

export const phaseOf = (name: string, durationSeconds: number, ratePerSecond: number): ArrivalPhase => ({
  name,
  durationSeconds,
  measured: true,
  rate: { kind: 'constant', ratePerSecond },
  spacing: 'poisson',
  traffic: [{ chain: 'ingest', weight: 1 }],
});

export function engineInput({ host, port, seed, connections, ratePerSecond, phases }: EngineLoad): EngineInput {
  return {
    run: 'benchbench00',
    seed,
    target: { host, port, pathPrefix: '' },
    operationsModule: '#harness/target/operations.ts',
    workers: 1,
    connection: { kind: 'per-device-group', connections },
    devices: Array.from({ length: devices }, (_, index) => ({ deviceId: `d${index}`, token, secret: '', publishable: '' })),
    eventsPerBatch: 1,
    timeoutMs,
    goodWithinMs: timeoutMs,
    chains: { ingest: ['ingest'] },
    phases: Object.entries(phases).map(([name, seconds]) => phaseOf(name, seconds, ratePerSecond)),
    spoiledAboveMs: 50,
    lateAboveMs: 100,
  };
}

type Watching = {
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** A line every thirty seconds. */
  readonly onThirty: (line: string) => void;
};

/** Drives the first phase to its end, or to an abort; gives this process's resident bytes of each second. Rejects where the engine breaks, at once. */
export async function residentWhileDriven(run: EngineRun, { seconds, signal, onThirty }: Watching): Promise<readonly number[]> {
  const resident: number[] = [];
  const driven = run.drive(0, Number(process.hrtime.bigint() - run.originNs) / 1e6 + 100);
  signal.addEventListener('abort', () => run.cut(0), { once: true });
  for (let second = 0; second < seconds && !signal.aborted; second++) {
    await Promise.race([sleep(1000, undefined, { signal }).catch(() => undefined), driven]);
    resident.push(process.memoryUsage.rss());
    if (second % 30 === 29) onThirty(`${second + 1} s: ${Math.round((resident.at(-1) ?? 0) / 2 ** 20)} MiB`);
  }
  await driven;
  return resident;
}
