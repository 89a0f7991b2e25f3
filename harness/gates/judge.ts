/**
 * (result, thresholds) → verdict. A census with bounds: what is unknown may have been anything, so a threshold holds if it holds
 * with everything unknown bad, is broken if it breaks with everything unknown good, and else is not known. No clock, no I/O.
 */
import { exitCodes, type RunResult, type Verdict, type VerdictKind } from '#harness/run-result.ts';
import { failuresOf } from './failures.ts';
import { fitAside, fitFiguresOf, fitNotes } from './fit-words.ts';
import { holdsWithin, type Observation } from './holds.ts';
import { machineFaults } from './machine.ts';
import { defaultLimits, type JudgeLimits, noiseOf, withNoise } from './noise.ts';
import { notesOf } from './notes.ts';
import { observe } from './observe.ts';
import { disagreements, widenByProbe } from './probe.ts';
import { promisesBroken } from './promises.ts';
import { phasesOf } from './samples.ts';
import { withSpoiledStreamSeconds } from './stream-samples.ts';
import type { ParsedThreshold } from './threshold.ts';
import { deliveredShareMin, deliveryOf, type Fault, faultsOf, type Saying } from './validity.ts';
import { cpuOf, evennessOf, latencyOf, totalsOf } from './verdict-figures.ts';
import { streamFiguresOf } from './verdict-streams.ts';
import { webhookFiguresOf } from './verdict-webhooks.ts';
import { withSpoiledWebhookSeconds } from './webhook-samples.ts';
import { boundedText, thresholdText, valueForVerdict } from './wording.ts';

/** `alone`: the answer by the engine's own samples, before the probe was heard. */
type Check = { readonly threshold: ParsedThreshold; readonly observation: Observation; readonly alone: Observation };

export function judge(result: RunResult, thresholds: readonly ParsedThreshold[], limits: JudgeLimits = defaultLimits): Verdict {
  const noise = noiseOf(result, limits);
  const spoiled = noise.seconds;
  const known: RunResult = {
    ...result,
    cells: withNoise(result.cells, noise),
    ...withSpoiledStreamSeconds(result.streams, noise),
    ...withSpoiledWebhookSeconds(result.webhooks, noise),
  };
  const checks = thresholds.map((threshold) => check(known, threshold, spoiled));
  const faults = [...faultsOf(known), ...faultsOfChecks(checks, known)];
  const allFaults = [...faults, ...machineFaults(known, suspectPhases(known, checks))];
  const broken = trustworthyBreaks(checks, allFaults);
  const doubted = checks.filter((one) => one.observation.holds === 'no' && !broken.includes(one)).map(doubtedReason);
  const { verdict, reasons } = rollUp(result, broken, [...allFaults, ...doubted]);
  const probed = allFaults.some((fault) => fault.code === 'probe-disagrees')
    ? []
    : disagreements(known, spoiled).map((text) => ({ code: 'probe-disagrees', text }));
  return {
    version: 1,
    scenario: result.run.scenario.name,
    run: result.run.id,
    verdict,
    exitCode: exitCodes[verdict],
    ...fitFiguresOf(result.run),
    reasons: reasons.map(({ code, text }) => ({ code, text: `${text}${fitAside(result.run.fit)}` })),
    notes: [...fitNotes(result.run), ...notesOf(result, spoiled), ...probed],
    thresholds: checks.map(toVerdict),
    totals: totalsOf(result),
    ...failuresOf(result),
    ...streamFiguresOf(result),
    ...webhookFiguresOf(result),
    latencyMs: latencyOf(result),
    evenness: evennessOf(result),
    calibration: result.calibration,
    cpu: cpuOf(result),
  };
}

function check(known: RunResult, threshold: ParsedThreshold, spoiled: ReadonlySet<number>): Check {
  // A count of what never began would be 0, which is an answer.
  const alone = known.interrupted.kind === 'unmeasured' ? unseen : observe(known, threshold);
  if (alone.figure === undefined) return { threshold, observation: alone, alone };
  const figure = widenByProbe(alone.figure, threshold, known, spoiled);
  if (figure === alone.figure) return { threshold, observation: alone, alone };
  const widened = holdsWithin(threshold.operator, threshold.limit, figure);
  return { threshold, observation: { ...alone, figure, holds: widened === alone.holds ? alone.holds : 'unknown' }, alone };
}

const unseen: Observation = { samples: 0, figure: undefined, holds: 'unknown' };

function faultsOfChecks(checks: readonly Check[], result: RunResult): readonly Fault[] {
  const aborted = result.interrupted.kind === 'abort' || result.interrupted.kind === 'unmeasured';
  return checks.flatMap(({ threshold, observation, alone }): readonly Fault[] => {
    const { figure, holds } = observation;
    const name = thresholdText(threshold);
    if (figure === undefined) {
      return aborted ? [] : [{ code: 'no-samples', text: `${name}: there is not one sample, so it neither holds nor breaks`, voidsFailures: false }];
    }
    if (holds !== 'unknown') return [];
    const bounds = boundedText(figure, threshold);
    if (alone.holds !== 'unknown') {
      return [
        {
          code: 'probe-disagrees',
          text: `${name}: the probe and the engine give different answers, ${bounds}: the engine may have measured itself`,
          voidsFailures: false,
        },
      ];
    }
    return [{ code: 'threshold-unknown', text: `${name}: cannot be told from ${bounds}`, voidsFailures: false }];
  });
}

const ledgers: ReadonlySet<string> = new Set<Check['threshold']['metric']['source']['kind']>(['ledger', 'items', 'webhook-ledger']);
const isOfLedger = ({ threshold: { metric } }: Check): boolean => ledgers.has(metric.source.kind);

/** Phases in which load was judged and did not clearly hold, or was not delivered. */
function suspectPhases(result: RunResult, checks: readonly Check[]): ReadonlySet<number> {
  const suspects = new Set(deliveryOf(result).flatMap((one) => (one.fired < deliveredShareMin * one.planned ? [one.phase] : [])));
  for (const one of checks) {
    if (isOfLedger(one) || one.observation.holds === 'yes' || one.observation.figure === undefined) continue;
    for (const phase of phasesOf(result, one.threshold.selector)) suspects.add(phase);
  }
  return suspects;
}

/** A break under a fault that may be the generator's own doing is not held against the service; what a ledger found is. */
function trustworthyBreaks(checks: readonly Check[], faults: readonly Fault[]): readonly Check[] {
  const voided = faults.some((fault) => fault.voidsFailures);
  return checks.filter((one) => one.observation.holds === 'no' && (isOfLedger(one) || !voided));
}

function brokenReason({ threshold, observation }: Check): Saying {
  const figure = observation.figure;
  const text = figure === undefined ? thresholdText(threshold) : `${thresholdText(threshold)}: it was ${boundedText(figure, threshold)}`;
  return { code: 'threshold-broken', text };
}

function doubtedReason(one: Check): Fault {
  return {
    code: 'failure-not-trusted',
    text: `${brokenReason(one).text}; the reasons beside this one may have done it, so the service is not blamed`,
    voidsFailures: false,
  };
}

/** Broken promises, then the user's interruption, then what is trustworthily broken, then what makes the measurement invalid. */
function rollUp(result: RunResult, broken: readonly Check[], faults: readonly Fault[]): { readonly verdict: VerdictKind; readonly reasons: readonly Saying[] } {
  const promises = promisesBroken(result);
  const reasons = [...promises, ...broken.map(brokenReason), ...faults];
  if (promises.length > 0) return { verdict: 'fail', reasons };
  // Nothing was measured: the one thing to say is what the machine holds.
  if (result.interrupted.kind === 'unfit') return { verdict: 'invalid', reasons: [{ code: 'machine-too-small', text: result.interrupted.text }] };
  if (result.interrupted.kind === 'user') {
    const text = 'interrupted by the user: what was measured until then is shown and not judged';
    return { verdict: 'interrupted', reasons: [{ code: 'interrupted', text }, ...broken.map(brokenReason)] };
  }
  if (broken.length > 0) return { verdict: 'fail', reasons };
  if (result.interrupted.kind === 'abort') {
    const text = `the run was ended early because ${result.interrupted.metric} could not hold any more, and the samples do not confirm it`;
    return { verdict: 'invalid', reasons: [...reasons, { code: 'aborted', text }] };
  }
  return { verdict: faults.length > 0 ? 'invalid' : 'pass', reasons };
}

function toVerdict({ threshold, observation }: Check): Verdict['thresholds'][number] {
  const { figure, samples, holds } = observation;
  const lowIsBest = threshold.operator !== '>' && threshold.operator !== '>=';
  const word = (value: number | undefined): number | string | null => (value === undefined ? null : valueForVerdict(value, threshold));
  return {
    metric: threshold.metric.name,
    selector: threshold.selector,
    expression: threshold.source.expression,
    observed: word(figure?.seen),
    best: word(lowIsBest ? figure?.low : figure?.high),
    worst: word(lowIsBest ? figure?.high : figure?.low),
    samples,
    holds,
  };
}
