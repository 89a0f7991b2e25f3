/** What our engine is given in a bench: everything on, as a scenario of single events has it. */
import type { ArrivalPhase, EngineInput } from '#harness/engine/engine.ts';
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

export function engineInput({ host, port, seed, connections, ratePerSecond, phases }: EngineLoad): EngineInput {
  const phase = (name: string, durationSeconds: number): ArrivalPhase => ({
    name,
    durationSeconds,
    measured: true,
    rate: { kind: 'constant', ratePerSecond },
    spacing: 'poisson',
    traffic: [{ chain: 'ingest', weight: 1 }],
  });
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
    phases: Object.entries(phases).map(([name, seconds]) => phase(name, seconds)),
    spoiledAboveMs: 50,
    lateAboveMs: 100,
  };
}
