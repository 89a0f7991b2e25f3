/** A scenario as files for k6, with its devices registered where the service is named. */
import { join, resolve } from 'node:path';
import type { ExportOptions } from '#harness/command/run-options.ts';
import { exportScenario } from '#harness/engine/k6/export.ts';
import { createLiveView } from '#harness/live/live.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';
import { phasesFor, randomName } from './run-phases.ts';
import { provision } from './run-provision.ts';
import { runningScenario } from './scenario-clock.ts';
import { attachTarget } from './topology/target.ts';

/** Where nobody said: the script is told by HEADROOM_TARGET. */
const targetUrlDefault = 'http://127.0.0.1:3000';

/** The files that were written. */
export async function exportTo(options: ExportOptions): Promise<readonly string[]> {
  const { target, out, to, seed, parallelism } = options;
  const scenario = runningScenario(options.scenario);
  const phases = phasesFor(scenario, 'k6');
  const run = randomName(12);
  return exportScenario({
    to,
    scenario,
    phases,
    seed,
    run,
    parallelism,
    targetUrl: target?.url ?? targetUrlDefault,
    devices: target === undefined ? undefined : await register({ ...options, target, scenario }, run),
    folder: resolve(out ?? 'reports', join(`${to}-${scenario.name}`)),
  });
}

type Registering = ExportOptions & { readonly target: NonNullable<ExportOptions['target']> };

async function register({ scenario, target: named }: Registering, run: string): Promise<readonly DeviceCredentials[]> {
  const view = createLiveView({ stream: process.stderr, isTerminal: false, columns: 100, quiet: true });
  const target = await attachTarget(named);
  const { signal } = new AbortController();
  return (await provision({ scenario, phases: phasesFor(scenario, 'k6'), target, run, view, signal })).devices;
}
