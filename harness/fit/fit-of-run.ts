/** Which checks a run gets, and what it says to type next where this machine is too small for it. */
import { availableParallelism, cpus } from 'node:os';
import type { RunOptions } from '#harness/command/run-options.ts';
import type { WireChoice } from '#harness/engine/native/wire/wire.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { peakPerSecond } from '#harness/pacing/rate.ts';
import type { CalibrationRecord } from '#harness/run-result.ts';
import { canFire } from './can-fire.ts';
import { createFitCheck, type FitCheck } from './fit-check.ts';
import { fitTrouble } from './fit-trouble.ts';
import { cannotFireText } from './unfit-text.ts';

type Around = { readonly note: (line: string) => void; readonly signal: AbortSignal };
export type Tried = { readonly calibration: readonly CalibrationRecord[]; readonly unfit: string | undefined };

/** The null target speaks no TLS, and a run over TLS is not on epoll. */
export const wireOf = ({ target, wire }: RunOptions): WireChoice => (target?.url.startsWith('https:') === true ? 'net' : wire);

const checksFit = ({ fitCheck = true, fit, engine }: RunOptions): boolean => fitCheck && fit === undefined && engine !== 'k6';

export async function tryGenerator(options: RunOptions, { note, signal }: Around): Promise<Tried> {
  const { scenario, seed } = options;
  const peak = Math.max(...scenario.phases.map(peakPerSecond));
  // Nothing is fired in a run of streams alone, and k6 is not what would be calibrated.
  if (options.engine === 'k6' || peak === 0 || signal.aborted) return { calibration: [], unfit: undefined };
  note('calibrating the generator (before the run)');
  const asked = { wire: wireOf(options), seed, workers: scenario.generator?.workers ?? 1, peakPerSecond: peak, signal };
  const { calibration, firedPerSecond } = await canFire(asked, checksFit(options));
  if (firedPerSecond === undefined) return { calibration, unfit: undefined };
  return { calibration, unfit: cannotFireText({ next: nextStep(options), firedPerSecond, plannedPerSecond: peak }) };
}

/** What to type where this machine is too small. */
function nextStep({ scenario, typed = scenario.name, engine = 'native', target, request }: RunOptions): string {
  if (request !== undefined) return 'a lower --rate';
  const trouble = fitTrouble({ scenario, engine, owned: target === undefined });
  return trouble === undefined ? `npm run scenario -- ${typed} --fit` : 'a lower rate, as in --set phases.PHASE.rate.ratePerSecond=…';
}

type Driven = { readonly phases: readonly ArrivalPhase[]; readonly owned: boolean };

/** A service that runs elsewhere has a machine of its own, of which nothing is known here: what it cannot hold is its verdict. */
export function fitCheckOf(options: RunOptions, { phases, owned }: Driven): FitCheck | undefined {
  const { scenario } = options;
  if (!checksFit(options) || !owned) return undefined;
  return createFitCheck({
    next: nextStep(options),
    phases,
    cores: availableParallelism(),
    coresOfMachine: cpus().length,
    requestsAlone: scenario.streams === undefined && scenario.webhooks === undefined,
  });
}
