/** Starts the probe's process and gathers what it saw. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineTarget } from '#harness/engine/engine.ts';
import { Histogram } from '#harness/metrics/histogram.ts';
import type { PhaseRecord, ProbeRecord } from '#harness/run-result.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';

export type ProbeInput = {
  /** Names the probe's events apart from the engine's. */
  readonly run: string;
  readonly target: EngineTarget;
  readonly operationsModule: string;
  readonly operation: string;
  readonly device: DeviceCredentials;
  readonly eventsPerBatch: number;
  readonly ratePerSecond: number;
  readonly timeoutMs: number;
  readonly arrivalsMax: number;
  /** The engine's origin, by process.hrtime: one monotonic clock serves all processes of a machine. Decimal text. */
  readonly originNs: string;
};

export type ProbeSample = { readonly atMs: number; readonly serviceMicros: number; readonly kind: 'good' | 'shed' | 'failed'; readonly state: number };
export type ProbeMessage =
  | { readonly kind: 'samples'; readonly samples: readonly ProbeSample[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'trouble'; readonly text: string };

export type ProbeOutcome = { readonly record: ProbeRecord /** By the probe's own arrival number, for the ledger. */; readonly states: Uint8Array };

export type Probe = {
  readonly pid: number;
  /** Lets the request in flight end, at most its timeout. */
  readonly finish: (phases: readonly PhaseRecord[]) => Promise<ProbeOutcome>;
  readonly kill: () => void;
};

export function startProbe(input: ProbeInput): Probe {
  const child = fork(fileURLToPath(new URL('./probe-process.ts', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const samples: ProbeSample[] = [];
  let trouble: string | undefined;
  child.on('message', (message: ProbeMessage) => {
    if (message.kind === 'samples') for (const sample of message.samples) samples.push(sample);
    else if (message.kind === 'trouble') trouble = message.text;
  });
  child.on('error', (error) => {
    trouble = error.message;
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.send(input);
  return {
    pid: child.pid ?? 0,
    finish: async (phases) => {
      stopGently(child, input.timeoutMs + 2000);
      await ended;
      const text = trouble ?? (samples.length === 0 ? 'the probe has no sample' : undefined);
      return {
        record: { seconds: foldSamples(samples, phases), ...(text === undefined ? {} : { trouble: text }) },
        states: Uint8Array.from(samples, ({ state }) => state),
      };
    },
    kill: () => child.kill('SIGKILL'),
  };
}

function stopGently(child: ChildProcess, killAfterMs: number): void {
  if (child.connected) child.send('stop', () => undefined);
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  child.once('exit', () => clearTimeout(timer));
}

/** One entry a second and phase; what fell into no phase is left out. */
export function foldSamples(samples: readonly ProbeSample[], phases: readonly PhaseRecord[]): ProbeRecord['seconds'] {
  const cells = new Map<string, { second: number; phase: number; histogram: Histogram; failed: number }>();
  for (const { atMs, serviceMicros, kind } of samples) {
    const phase = phases.findIndex(({ startSeconds, endSeconds }) => atMs >= startSeconds * 1000 && atMs < endSeconds * 1000);
    if (phase < 0) continue;
    const second = Math.floor(atMs / 1000);
    const key = `${second}/${phase}`;
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = { second, phase, histogram: new Histogram(), failed: 0 };
      cells.set(key, cell);
    }
    if (kind === 'good') cell.histogram.record(serviceMicros);
    else cell.failed++;
  }
  return [...cells.values()].map(({ second, phase, histogram, failed }) => ({ second, phase, service: histogram.toSparse(), failed }));
}
