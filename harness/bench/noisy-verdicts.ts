/**
 * Is a verdict told on a noisy machine, and is it right? `steady` at 60 % of what the machine holds, while another program has one of its cores for a third of the
 * time; then the same with a service that is 30 ms slower in a third of the runs, and a limit between: a pass of such a run is false.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFit } from '#harness/fit/find-fit.ts';
import type { Verdict } from '#harness/run-result.ts';
import { loadScenario } from '#harness/scenario-load.ts';
import { applyOverrides } from '#harness/scenario-overrides.ts';
import { parseScenario } from '#harness/scenario-parse.ts';
import { operations } from '#harness/target/operations.ts';
import { startScratchService } from '#harness/topology/scratch-service.ts';
import { atLeast, atMost, type Bench, type BenchOptions, round } from './bench.ts';

const shareOfHeld = 0.6;
const ratePerSecondMax = 10_000;
/** What the twin adds. */
const slowerMs = 30;
const slowOneIn = 3;
const toldShareMin = 0.9;
const steadyLimitMs = 100;

type Asked = { readonly ratePerSecond: number; readonly seconds: number; readonly limitMs: number; readonly seed: number };
export type Told = { readonly verdict: Verdict['verdict']; readonly p99Ms: number | undefined; readonly why: readonly string[] };

const settingsOf = ({ ratePerSecond, seconds, limitMs }: Omit<Asked, 'seed'>): readonly string[] => [
  'fleet.devices=1000',
  'fleet.accounts=1',
  'phases.warm-up.durationSeconds=5',
  `phases.steady.durationSeconds=${seconds}`,
  `phases.warm-up.rate.ratePerSecond=${ratePerSecond}`,
  `phases.steady.rate.ratePerSecond=${ratePerSecond}`,
  `thresholds[0].expression=p(99)<${limitMs}`,
  `thresholds[1].expression=p(95)<${limitMs} over 10s`,
];

/** The whole run, as somebody would type it. */
async function runSteady(asked: Asked, target: readonly string[] = []): Promise<Told> {
  const out = mkdtempSync(join(tmpdir(), 'headroom-noisy-'));
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const sets = settingsOf(asked).flatMap((setting) => ['--set', setting]);
  const args = [main, 'scenario', 'steady', '--quiet', '--json', '--seed', String(asked.seed), '--out', out, ...sets, ...target];
  try {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const texts: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => texts.push(text));
    await once(child, 'close');
    const { verdict, reasons, latencyMs } = JSON.parse(texts.join('')) as Verdict;
    return { verdict, p99Ms: latencyMs.steady?.ingest?.response?.p99 ?? undefined, why: reasons.map(({ code }) => code) };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** A program that has one core for a third of the time, until it is told to end. */
function startBusyProgram(core: number): ChildProcess {
  const program = fileURLToPath(new URL('./busy-program.ts', import.meta.url));
  return spawn('taskset', ['-c', String(core), process.execPath, program], { stdio: 'ignore' });
}

async function besideBusyProgram<T>(core: number, work: () => Promise<T>): Promise<T> {
  const busy = startBusyProgram(core);
  try {
    return await work();
  } finally {
    const ended = busy.exitCode === null && busy.signalCode === null ? once(busy, 'exit') : Promise.resolve();
    busy.kill();
    await ended;
  }
}

/** `twin`: undefined for the service itself. */
async function runAtTarget(asked: Asked, twin: string | undefined): Promise<Told> {
  const scratch = await startScratchService({ name: 'noisy', twin });
  const credentials = join(scratch.folder, 'credentials.json');
  writeFileSync(credentials, JSON.stringify(scratch.accounts[0]));
  try {
    return await runSteady(asked, ['--target', scratch.service().url, '--credentials', credentials]);
  } finally {
    await scratch.stop();
  }
}

/** Requests a second of steady's kind. */
async function heldPerSecond(): Promise<number> {
  const loaded = await loadScenario('steady');
  if (loaded.kind === 'error') throw new Error(loaded.message);
  const changed = applyOverrides(loaded.value, settingsOf({ ratePerSecond: ratePerSecondMax, seconds: 12, limitMs: steadyLimitMs }));
  if (changed.kind === 'errors') throw new Error(JSON.stringify(changed.errors));
  const parsed = parseScenario(changed.value, { source: loaded.source, operations: operations.map(({ name }) => name) });
  if (parsed.kind !== 'ok') throw new Error('steady is no scenario any more');
  const out = mkdtempSync(join(tmpdir(), 'headroom-noisy-'));
  try {
    const { scenario, thresholds } = parsed;
    const found = await findFit({ scenario, thresholds, seed: 1, quiet: true, json: false, wire: 'auto', out });
    if (found.kind === 'none') throw new Error(found.text);
    return found.fit.heldPerSecond;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

type Series = { readonly of: string; readonly told: readonly (Told & { readonly slow: boolean })[] };

async function runSeries(of: string, { runs, say, signal }: BenchOptions, one: (index: number) => Promise<Told & { readonly slow: boolean }>): Promise<Series> {
  const told: (Told & { readonly slow: boolean })[] = [];
  for (let index = 0; index < runs && !signal.aborted; index++) {
    const run = await besideBusyProgram(index % availableParallelism(), () => one(index));
    told.push(run);
    say(`${of} ${index + 1} of ${runs}${run.slow ? ', slower' : ''}: ${run.verdict}, p99 ${run.p99Ms?.toFixed(1) ?? '–'} ms ${run.why.join(' ')}`);
  }
  return { of, told };
}

const countOf = ({ told }: Series, verdict: Verdict['verdict'], slow?: boolean): number =>
  told.filter((one) => one.verdict === verdict && (slow === undefined || one.slow === slow)).length;

async function measure(options: BenchOptions) {
  const { seconds, say } = options;
  const held = await heldPerSecond();
  const ratePerSecond = Math.round(shareOfHeld * held);
  const asked = { ratePerSecond, seconds, limitMs: steadyLimitMs };
  const quiet = await runAtTarget({ ...asked, seed: 99 }, undefined);
  const quietMs = quiet.p99Ms ?? steadyLimitMs;
  const betweenMs = Math.round(quietMs + slowerMs / 2);
  say(`holds ${Math.round(held)}/s, driven at ${ratePerSecond}/s; quiet p99 ${quietMs.toFixed(1)} ms, so the limit between is ${betweenMs} ms`);
  const steady = await runSeries('steady', options, async (index) => ({ ...(await runSteady({ ...asked, seed: index + 1 })), slow: false }));
  const between = await runSeries('between', options, async (index) => {
    const slow = index % slowOneIn === slowOneIn - 1;
    const told = await runAtTarget({ ...asked, limitMs: betweenMs, seed: index + 1 }, slow ? 'answers-later' : undefined);
    return { ...told, slow };
  });
  return { held, quietMs, betweenMs, steady, between };
}

export const noisyVerdictsBench: Bench = {
  name: 'noisy-verdicts',
  about: 'steady at 60 % of what the machine holds, beside a program that has a core for a third of the time: is a verdict told, and is it right?',
  runs: 20,
  seconds: 12,
  run: async (options) => {
    const { held, quietMs, betweenMs, steady, between } = await measure(options);
    const told = countOf(steady, 'pass') + countOf(steady, 'fail');
    return {
      name: 'noisy-verdicts',
      figures: {
        held_per_second: Math.round(held),
        quiet_p99_ms: round(quietMs),
        limit_between_ms: betweenMs,
        steady_pass: countOf(steady, 'pass'),
        steady_fail: countOf(steady, 'fail'),
        steady_invalid: countOf(steady, 'invalid'),
        between_pass: countOf(between, 'pass', false),
        between_fail: countOf(between, 'fail', false),
        between_invalid: countOf(between, 'invalid', false),
        slower_fail: countOf(between, 'fail', true),
        slower_invalid: countOf(between, 'invalid', true),
      },
      bars: [
        atLeast('verdicts told of steady', told / Math.max(1, steady.told.length), toldShareMin),
        atMost('of them wrong', countOf(steady, 'fail'), 0),
        atMost('false passes of a slower service', countOf(between, 'pass', true), 0),
      ],
    };
  },
};
