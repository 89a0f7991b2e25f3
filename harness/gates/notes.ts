/** What is said beside a verdict and does not change it. */

import { peakPerSecond } from '#harness/pacing/rate.ts';
import type { RunResult } from '#harness/run-result.ts';
import { heldPhases } from './held.ts';
import { k6Notes } from './k6-notes.ts';
import { probeNotes } from './probe.ts';
import { needsNoEventLedger, sumStreams } from './stream-samples.ts';
import { backlogsOf, failedScrapes, type Saying } from './validity.ts';
import { plural, shortNumber } from './wording.ts';

export const calibrationFactorMin = 1.5;
/** Of the planned dispersion; the tools in use are at 2.4 to 16 where the plan is at 1. */
export const burstyFactor = 3;

export function notesOf(result: RunResult, spoiled: ReadonlySet<number>): readonly Saying[] {
  return [
    ...calibration(result),
    ...bursty(result),
    ...unsettled(result),
    ...stoodStill(result, spoiled),
    ...heldUp(result),
    ...backlogs(result),
    ...ledgerNotes(result),
    ...streamNotes(result),
    ...k6Notes(result),
    ...probeNotes(result, spoiled),
    ...otherNotes(result),
  ];
}

function calibration(result: RunResult): readonly Saying[] {
  const peak = Math.max(...result.run.scenario.phases.map(peakPerSecond));
  return (
    result.calibration
      // A second try at a lower rate says what the first could not, and nothing of what there is to spare.
      .filter((one) => one.targetRatePerSecond >= calibrationFactorMin * peak && one.achievedRatePerSecond < calibrationFactorMin * peak)
      .map((one) => ({
        code: 'calibration-short',
        text: `calibration ${one.when} the run delivered ${shortNumber(one.achievedRatePerSecond)}/s, less than ${calibrationFactorMin} times the plan's peak of ${shortNumber(peak)}/s: the generator has little to spare here`,
      }))
  );
}

function bursty(result: RunResult): readonly Saying[] {
  const worst = new Map<string, RunResult['evenness'][number]>();
  for (const one of result.evenness) {
    const measured = result.phases.find((phase) => phase.name === one.phase)?.measured ?? false;
    const before = worst.get(one.phase);
    if (measured && one.fired > burstyFactor * Math.max(1, one.planned) && (before === undefined || one.fired > before.fired)) worst.set(one.phase, one);
  }
  return [...worst.values()].map((one) => ({
    code: 'bursty',
    text: `phase ${one.phase} was fired far more bursty than planned: index of dispersion ${shortNumber(one.fired)} in ${one.binMs} ms bins, planned ${shortNumber(one.planned)}`,
  }));
}

function unsettled({ phases }: RunResult): readonly Saying[] {
  return phases
    .filter((phase) => phase.settled === false)
    .map((phase) => ({
      code: 'never-settled',
      text: `phase ${phase.name} never settled within its ${shortNumber(phase.endSeconds - phase.startSeconds)} s: what follows may still contain a start`,
    }));
}

/** Of a phase that wants just that. */
function backlogs(result: RunResult): readonly Saying[] {
  return backlogsOf(result)
    .filter(({ isWanted }) => isWanted)
    .map(({ text }) => ({ code: 'backlog', text }));
}

function heldUp(result: RunResult): readonly Saying[] {
  return heldPhases(result)
    .filter(({ isTooSmall }) => !isTooSmall)
    .map(({ text }) => ({ code: 'held-up', text }));
}

function stoodStill({ phases }: RunResult, spoiled: ReadonlySet<number>): readonly Saying[] {
  const measured = [...spoiled].filter((second) => phases.some((phase) => phase.measured && second + 1 > phase.startSeconds && second < phase.endSeconds));
  if (measured.length === 0) return [];
  const text = `in ${measured.length} measured ${measured.length === 1 ? 'second' : 'seconds'} (${measured.slice(0, 10).join(', ')}${measured.length > 10 ? ', …' : ''}) the hypervisor or other programs took the processor, or the generator stood still: what that can have touched may have been quicker than it was seen`;
  return [{ code: 'spoiled-seconds', text }];
}

/** Of a run against any URL. */
export const noLedgerText = 'no ledger: a service of which a URL is all that is known cannot be asked what it kept, so nothing is said of loss and duplicates';

function ledgerNotes(result: RunResult): readonly Saying[] {
  const { ledger } = result;
  if (needsNoEventLedger(result)) return [];
  if (result.run.request !== undefined) return [{ code: 'no-ledger', text: noLedgerText }];
  if (ledger === undefined) return [{ code: 'not-verified', text: 'nothing was read back: whether what was acknowledged is there is not known' }];
  const notes: Saying[] = [];
  if (ledger.refusedFound > 0)
    notes.push({ code: 'refused-found', text: `${shortNumber(ledger.refusedFound)} events that were refused are there all the same` });
  const { lost: unlisted = 0, duplicated: twice = 0, reordered: disordered = 0 } = ledger.exportAlone ?? {};
  if (unlisted > 0)
    notes.push({
      code: 'export-unlisted',
      text: `the export did not list ${plural(unlisted, 'event')} that history has: nothing is lost, and the export is not whole`,
    });
  if (twice + disordered > 0)
    notes.push({
      code: 'export-differs',
      text: `the export listed ${plural(twice, 'event')} twice and ${shortNumber(disordered)} out of order that history has once and in order`,
    });
  if (ledger.foreign > 0) notes.push({ code: 'foreign-events', text: `${shortNumber(ledger.foreign)} events of this run's accounts are not of its plan` });
  return notes;
}

/** What a listener gets is whole where the pages of a log were not. */
function logNotes(items: RunResult['items']): readonly Saying[] {
  const { lostFromLog = 0, lost = 0, duplicated = 0, reordered = 0 } = items?.logAlone ?? {};
  const total = lostFromLog + lost + duplicated + reordered;
  if (total === 0) return [];
  const text = `the pages of the logs once told ${plural(total, 'change')} otherwise than a listener gets them: nothing is lost, and the pages are not whole`;
  return [{ code: 'log-differs', text }];
}

function streamNotes({ streams, items }: RunResult): readonly Saying[] {
  const cells = streams?.cells ?? [];
  const notes: Saying[] = [...logNotes(items)];
  const resynced = sumStreams(cells, 'resynced');
  if (resynced > 0) notes.push({ code: 'resynced', text: `${plural(resynced, 'stream')} had to begin anew: their cursor was no longer good for a resumption` });
  if (items === undefined && sumStreams(cells, 'changes') > 0)
    notes.push({ code: 'changes-not-verified', text: 'what readers saw was not compared with what was acknowledged' });
  return notes;
}

function otherNotes(result: RunResult): readonly Saying[] {
  const notes: Saying[] = [];
  if (result.probe?.trouble !== undefined) notes.push({ code: 'probe-trouble', text: `the probe had trouble: ${result.probe.trouble}` });
  const { before } = failedScrapes(result);
  if (before > 0) notes.push({ code: 'scrape-failed-early', text: `${before} scrapes failed before the first measured phase` });
  return notes;
}
