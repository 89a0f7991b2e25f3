/**
 * The two engines on one scenario: they have to count alike, and two instruments that time the same service have to agree or say why not.
 * What each costs is measured in those runs, and how even its arrivals are, as a target sees them that does nothing else but look.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineName } from '#harness/command/run-options.ts';
import type { Engine } from '#harness/engine/engine.ts';
import { createK6Engine } from '#harness/engine/k6/k6-engine.ts';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { startNullTarget } from '#harness/engine/native/start-null-target.ts';
import { rulersOf } from '#harness/gates/probe.ts';
import { median } from '#harness/metrics/growth.ts';
import { arrivalCount } from '#harness/pacing/rate.ts';
import { requirePart } from '#harness/parts/find.ts';
import { runScenario } from '#harness/run.ts';
import { readRun } from '#harness/run-folder/run-folder.ts';
import type { Verdict } from '#harness/run-result.ts';
import { defineScenario } from '#harness/scenario.ts';
import { parseScenario } from '#harness/scenario-parse.ts';
import { operations } from '#harness/target/operations.ts';
import { atMost, type Bar, type Bench, type BenchOptions, round } from './bench.ts';
import { comparison, middleMs, type Timed } from './compare-engines.ts';
import { engineInput } from './engine-load.ts';
import { stealShareDuring } from './steal.ts';

const engines = ['native', 'k6'] as const satisfies readonly EngineName[];
const ratePerSecond = 3000;
const connections = 64;
/** What users get, and one for all: the native engine whose evenness is seen is the one whose cost is measured. */
const wire = 'auto';
const warmSeconds = 5;
/** A service that nobody asked before answers slowly at first: at full rate from the start k6 dropped 58 to 427 arrivals in that second. */
const warmSteps = [
  { atSeconds: 0, ratePerSecond: ratePerSecond / 6 },
  { atSeconds: 1, ratePerSecond: ratePerSecond / 2 },
  { atSeconds: 2, ratePerSecond },
];
const quantiles = [0.5, 0.9, 0.99] as const;
const binWidths = ['0.2', '1', '10'] as const;

const scenarioOf = (seconds: number) =>
  defineScenario({
    name: 'engines',
    description: 'The same arrivals by two engines.',
    fleet: { accounts: 2, devices: 1000, connection: { kind: 'per-device-group', connections }, timeoutMs: 10_000 },
    phases: [
      { name: 'warm-up', measured: false, durationSeconds: warmSeconds, spacing: 'uniform', rate: { kind: 'step', steps: warmSteps } },
      { name: 'load', measured: true, durationSeconds: seconds, spacing: 'uniform', rate: { kind: 'constant', ratePerSecond } },
    ],
    thresholds: [{ metric: 'events_lost', expression: 'count==0' }],
  });

type Run = Timed & { readonly verdict: Verdict; readonly dispersion: Readonly<Record<string, number | null>> };

async function runOne(engine: EngineName, { seconds }: BenchOptions, out: string): Promise<Run> {
  const parsed = parseScenario(scenarioOf(seconds), { source: 'the bench', operations: operations.map(({ name }) => name) });
  if (parsed.kind !== 'ok') throw new Error(`the bench's scenario is wrong: ${JSON.stringify(parsed.errors)}`);
  const { scenario, thresholds } = parsed;
  const verdict = await runScenario({ scenario, thresholds, seed: 1, quiet: true, json: true, wire, engine, out });
  const result = await readRun(join(out, verdict.run));
  const load = result.phases.findIndex(({ name }) => name === 'load');
  const { engine: service, probe } = rulersOf(result, new Set([load]), new Set());
  return { verdict, service, probe, dispersion: await dispersionSeen(engine, seconds) };
}

const engineOf = (engine: EngineName): Engine => (engine === 'k6' ? createK6Engine(requirePart('k6')) : createNativeEngine({ wire }));

/** As a target sees it that answers at once. */
async function dispersionSeen(engine: EngineName, seconds: number): Promise<Readonly<Record<string, number | null>>> {
  const target = await startNullTarget({ accepted: 1, seed: 1 });
  try {
    const load = engineInput({ host: target.host, port: target.port, seed: 1, connections, ratePerSecond, phases: { warm: warmSeconds, load: seconds } });
    const input = { ...load, phases: load.phases.map((phase) => ({ ...phase, spacing: 'uniform' as const })) };
    const run = await engineOf(engine).prepare(input, { onDelta: () => undefined });
    try {
      const startMs = Number(process.hrtime.bigint() - run.originNs) / 1e6 + 200;
      const driven = Promise.all([run.drive(0, startMs), run.drive(1, startMs + warmSeconds * 1000)]);
      await Promise.race([sleep(200 + warmSeconds * 1000), driven]);
      target.reset();
      await driven;
      const { dispersion } = await target.report();
      await run.finish();
      return dispersion;
    } catch (error) {
      await run.kill();
      throw error;
    }
  } finally {
    await target.stop();
  }
}

type Runs = Readonly<Record<(typeof engines)[number], readonly Run[]>>;

const medianOf = (runs: readonly Run[], pick: (run: Run) => number | null | undefined): number => median(runs.map((run) => pick(run) ?? Number.NaN));
const cpuOf = (runs: readonly Run[]): number => medianOf(runs, ({ verdict }) => verdict.cpu.generator);
const dispersionOf = (runs: readonly Run[], width: (typeof binWidths)[number]): number => medianOf(runs, ({ dispersion }) => dispersion[width]);

/** Planned, fired, acknowledged: how far any of them is from the plan in the worst run. */
function miscounted(runs: readonly Run[], planned: number): number {
  const far = ({ verdict: { totals } }: Run): number =>
    Math.max(...[totals.planned, totals.fired, totals.acknowledged].map((count) => Math.abs(count - planned)));
  return Math.max(...runs.map(far));
}

function barsOf({ native, k6 }: Runs, planned: number): readonly Bar[] {
  const lost = Math.max(...[...native, ...k6].map(({ verdict }) => verdict.totals.lost ?? Number.POSITIVE_INFINITY));
  return [
    atMost('native: arrivals that were not planned, fired and acknowledged', miscounted(native, planned), 0),
    atMost('k6: arrivals that were not planned, fired and acknowledged', miscounted(k6, planned), 0),
    atMost('events lost', lost, 0),
    atMost("CPU a request ÷ k6's", cpuOf(native) / cpuOf(k6), 0.45),
    ...binWidths.map((width) => atMost(`dispersion in ${width} ms bins ÷ k6's`, dispersionOf(native, width) / dispersionOf(k6, width), 1)),
  ];
}

function figuresOf(runs: Runs): Record<string, number | string | null> {
  const figures: Record<string, number | string | null> = {};
  const put = (name: string, value: number) => {
    figures[name] = Number.isFinite(value) ? round(value) : null;
  };
  for (const engine of engines) {
    put(`${engine}_generator_us_a_request`, cpuOf(runs[engine]));
    put(
      `${engine}_system_us_a_request`,
      medianOf(runs[engine], ({ verdict }) => verdict.cpu.system),
    );
    for (const q of quantiles) put(`${engine}_service_p${q * 100}_ms`, middleMs(runs[engine], 'service', q));
    put(`${engine}_probe_p50_ms`, middleMs(runs[engine], 'probe', 0.5));
    for (const width of binWidths) put(`${engine}_dispersion_${width}_ms`, dispersionOf(runs[engine], width));
  }
  for (const q of quantiles) figures[`service p${q * 100}`] = comparison(runs, q);
  return figures;
}

export const enginesBench: Bench = {
  name: 'engines',
  about: `native against k6 on one scenario and service at ${ratePerSecond}/s: counts, service times, CPU, evenness`,
  runs: 3,
  seconds: 10,
  run: async (options) => {
    const steal = stealShareDuring();
    const out = await mkdtemp(join(tmpdir(), 'headroom-engines-'));
    const runs: Record<(typeof engines)[number], Run[]> = { native: [], k6: [] };
    try {
      for (let index = 0; index < options.runs && !options.signal.aborted; index++) {
        for (const engine of engines) {
          options.say(`round ${index + 1} of ${options.runs}: ${engine}`);
          runs[engine].push(await runOne(engine, options, join(out, `${engine}-${index}`)));
        }
      }
    } finally {
      await rm(out, { recursive: true, force: true });
    }
    const planned = scenarioOf(options.seconds).phases.reduce((sum, phase) => sum + arrivalCount(phase), 0);
    return { name: 'engines', tools: [...engines], figures: { ...figuresOf(runs), steal_share: steal() }, bars: barsOf(runs, planned) };
  },
};
