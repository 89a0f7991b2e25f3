/** `--fit`: a short search for the highest rate of the scenario's busiest traffic that this machine holds, with a service and a fleet as the run will have them. */
import { mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RunOptions } from '#harness/command/run-options.ts';
import { engineInputOf } from '#harness/drive.ts';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { fitText } from '#harness/gates/fit-words.ts';
import { thresholdText } from '#harness/gates/wording.ts';
import { InterruptedError } from '#harness/interrupted-error.ts';
import { type Interrupts, watchInterrupts } from '#harness/interrupts.ts';
import { createLiveView, type LiveView } from '#harness/live/live.ts';
import { peakPerSecond } from '#harness/pacing/rate.ts';
import { phasesFor, randomName } from '#harness/run-phases.ts';
import { provision } from '#harness/run-provision.ts';
import type { FitRecord } from '#harness/run-result.ts';
import { type Scenario, timeoutMsOf } from '#harness/scenario.ts';
import { runningScenario } from '#harness/scenario-clock.ts';
import { openTarget } from '#harness/topology/open-target.ts';
import type { Target } from '#harness/topology/target.ts';
import { climb } from './climb.ts';
import { scaledScenario, unscaledThresholds } from './scale-scenario.ts';
import { type Rung, rungsMax } from './search.ts';
import { shedsByPlan } from './shedding.ts';

/** Of what held, left free: a search is short, and the figures between two rungs are unknown. */
export const marginShare = 0.2;

export type Fitted = { readonly kind: 'fits'; readonly scenario: Scenario; readonly fit: FitRecord } | { readonly kind: 'none'; readonly text: string };

/** Rejects as a run does: where the service does not start, the target does not answer, or the user ends it. */
export async function findFit(options: RunOptions): Promise<Fitted> {
  const { scenario, quiet } = options;
  const folder = resolve(options.out ?? 'reports', `.fit-${randomName(12)}`);
  mkdirSync(folder, { recursive: true });
  const view = createLiveView({ stream: process.stderr, isTerminal: process.stderr.isTTY === true, columns: process.stderr.columns ?? 100, quiet });
  const interrupts = watchInterrupts((line) => view.note(line), 'stopping: nothing was measured yet; press Ctrl-C again to end at once');
  let target: Target | undefined;
  try {
    view.note(`${scenario.name}: looking for the rate that fits this machine (--fit)`);
    target = await openTarget(options, folder);
    interrupts.onKill(target.kill);
    const rungs = await search(options, { target, view, interrupts });
    const fitted = fittedOf(options, rungs);
    view.note(fitted.kind === 'fits' ? fitText(fitted.fit) : fitted.text);
    return fitted;
  } finally {
    // It may have piled up what would take it long to drain, and nobody needs it.
    target?.kill();
    await target?.stop();
    view.close();
    interrupts.release();
    // A worker that was killed a moment ago may still write.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

type Around = { readonly target: Target; readonly view: LiveView; readonly interrupts: Interrupts };

async function search(options: RunOptions, { target, view, interrupts }: Around): Promise<readonly Rung[]> {
  const { signal } = interrupts;
  const { retry: _retry, ...fleet } = options.scenario.fleet;
  // Every arrival is one request here: who comes back would carry one rung's load into the next.
  const scenario: Scenario = { ...runningScenario(options.scenario), fleet };
  const phases = phasesFor(scenario, options.engine);
  const busiest = phases.reduce((one, other) => (peakPerSecond(other) > peakPerSecond(one) ? other : one));
  const run = randomName(12);
  const provisioned = await provision({ scenario, phases: [busiest], target, run, view, signal });
  if (signal.aborted) throw new InterruptedError('stopped before anything was measured');
  const input = { scenario, target, run, seed: options.seed, operationsModule: '#harness/target/operations.ts', timeoutMs: timeoutMsOf(fleet), ...provisioned };
  return climb({
    engine: createNativeEngine({ wire: options.wire }),
    // With a name of its own, since events of the same name are duplicates, which cost the service less.
    inputOf: (rung) => engineInputOf({ ...input, run: randomName(12), phases: rung }),
    busiest,
    peakPerSecond: peakPerSecond(busiest),
    shedsByPlan: shedsByPlan(options.scenario, options.thresholds),
    metricsUrls: target.nodeUrls.map((url) => `${url}/metrics`),
    signal,
    onKill: interrupts.onKill,
    onRung: ({ ratePerSecond, held, why }, number) => {
      const rate = `${Math.round(ratePerSecond).toLocaleString('en-US')}/s`;
      view.note(`  ${number} of at most ${rungsMax}: ${rate} ${held ? 'holds' : `does not hold: ${why}`}`);
    },
    onTry: (ratePerSecond) => view.progress(`trying ${Math.round(ratePerSecond).toLocaleString('en-US')}/s`),
  });
}

function fittedOf({ scenario, thresholds, typed = scenario.name }: RunOptions, rungs: readonly Rung[]): Fitted {
  const planned = Math.max(...scenario.phases.map(peakPerSecond));
  const held = Math.max(0, ...rungs.filter((rung) => rung.held).map(({ ratePerSecond }) => ratePerSecond));
  if (held === 0) {
    const [lowest] = rungs.toSorted((a, b) => a.ratePerSecond - b.ratePerSecond);
    return {
      kind: 'none',
      text: `--fit: not even ${lowest?.ratePerSecond ?? 0}/s of ${typed} holds here: ${lowest?.why ?? 'nothing was tried'}. Is the service well, and is the machine free?`,
    };
  }
  const factor = held >= planned ? 1 : Number(((1 - marginShare) * (held / planned)).toPrecision(2));
  const fit: FitRecord = {
    factor,
    plannedPeakPerSecond: planned,
    heldPerSecond: held,
    marginShare: factor === 1 ? 0 : marginShare,
    rungs,
    unscaled: factor === 1 ? [] : unscaledThresholds(thresholds).map(thresholdText),
  };
  return { kind: 'fits', scenario: scaledScenario(scenario, factor), fit };
}
