/** What makes a measurement invalid, each with the sentence that says what to do about it. Pure; knows nothing of thresholds' answers. */
import { type ItemLedgerRecord, type LedgerRecord, type RunResult, suspicions } from '#harness/run-result.ts';
import { heldPhases } from './held.ts';
import { gapsOf } from './identities.ts';
import { hasStreams, streamFaults } from './validity-streams.ts';
import { percent, plural, shortNumber } from './wording.ts';

export type Saying = { readonly code: string; readonly text: string };
/** `voidsFailures`: with this, a broken promise about the load may be the generator's own doing. */
export type Fault = Saying & { readonly voidsFailures: boolean };

export const deliveredShareMin = 0.999;
export const nearLimitShare = 0.9;

export function faultsOf(result: RunResult): readonly Fault[] {
  if (result.interrupted.kind === 'unmeasured')
    return [{ code: 'not-measured', text: `nothing was measured: ${result.interrupted.text}`, voidsFailures: true }];
  return [
    ...unbalanced(result),
    ...undelivered(result),
    ...droppedByK6(result),
    ...unaccountedByK6(result),
    ...lateByK6(result),
    ...limitedByPool(result),
    ...limitedByFleet(result),
    ...begunInBacklog(result),
    ...streamFaults(result),
    ...nearLimits(result),
    ...scrapesFailed(result),
    ...ledgerUnread(result),
  ];
}

/** A figure of ours that contradicts another of ours: neither is to be believed. */
function unbalanced({ cells }: RunResult): readonly Fault[] {
  return gapsOf(cells).map((gap) => ({
    code: 'totals-do-not-add-up',
    text: `the counts contradict each other, which is a fault of this harness: ${gap}`,
    voidsFailures: true,
  }));
}

export type Delivery = { readonly phase: number; readonly planned: number; readonly fired: number };

/**
 * Of the phases that are measured: what was planned, by the plan or by the cells (which have the later operations of chains), and
 * what was fired. A run that was ended on purpose is held to what it had begun.
 */
export function deliveryOf(result: Pick<RunResult, 'cells' | 'phases' | 'interrupted'>): readonly Delivery[] {
  const ended = result.interrupted.kind === 'user' || result.interrupted.kind === 'abort';
  return result.phases.flatMap((record, phase) => {
    if (!record.measured) return [];
    const cells = result.cells.filter((cell) => cell.phase === phase);
    const planned = cells.reduce((sum, cell) => sum + cell.counts.planned, 0);
    // What the service let wait until its timeout was there to be taken.
    const fired = cells.reduce((sum, { counts }) => sum + counts.fired + (counts.heldNever ?? 0), 0);
    return [{ phase, planned: ended ? planned : Math.max(planned, record.planned), fired }];
  });
}

function undelivered(result: RunResult): readonly Fault[] {
  const phases = deliveryOf(result);
  const planned = phases.reduce((sum, one) => sum + one.planned, 0);
  const fired = phases.reduce((sum, one) => sum + one.fired, 0);
  if (planned === 0 && hasStreams(result)) return [];
  if (planned === 0) return [{ code: 'nothing-measured', text: 'no arrival was planned and no stream was there in any measured phase', voidsFailures: false }];
  // A short phase that was not delivered must not hide behind a long one that was.
  return phases
    .filter((one) => one.fired < deliveredShareMin * one.planned)
    .map((one) => ({
      code: 'load-not-delivered',
      text: `phase ${result.phases[one.phase]?.name}: only ${shortNumber(one.fired)} of ${shortNumber(one.planned)} planned arrivals were fired (${percent(one.fired / one.planned)}, and ${percent(deliveredShareMin)} are needed; ${percent(fired / planned)} over all measured phases): the generator could not deliver this load here`,
      voidsFailures: false,
    }));
}

/** Whatever the share: k6 numbers what it ran, so each one that it dropped moved all that came after it in the phase. */
function droppedByK6({ k6, phases }: RunResult): readonly Fault[] {
  return phases.flatMap(({ name, measured }, index) => {
    const dropped = k6?.droppedIterations[index] ?? 0;
    if (!measured || dropped === 0) return [];
    const text = `phase ${name}: k6 dropped ${plural(dropped, 'iteration')} because no VU was free: it could not deliver this load here; a lower rate, or the native engine`;
    return [{ code: 'iterations-dropped', text, voidsFailures: false }];
  });
}

/** What k6 began and what it dropped has to be what was planned, to the last arrival: an arrival that it says nothing of, or that came twice, is a hole in its samples. */
function unaccountedByK6({ k6, phases }: RunResult): readonly Fault[] {
  return phases.flatMap(({ name, measured, planned }, index) => {
    const unaccounted = k6?.unaccountedIterations?.[index] ?? 0;
    if (!measured || unaccounted === 0) return [];
    const text = `phase ${name}: of ${plural(planned, 'planned arrival')} k6 did not say of ${shortNumber(unaccounted)}, once, that it began or dropped it: it was still behind its plan a second after the phase, or samples are missing or there twice`;
    return [{ code: 'iterations-unaccounted', text, voidsFailures: false }];
  });
}

/** k6 says of no arrival how late it fired it, so that no threshold can be held against it; and a stop of its own shorter than its VUs last drops nothing. */
function lateByK6({ k6, cells, phases }: RunResult): readonly Fault[] {
  if (k6 === undefined) return [];
  return phases.flatMap(({ name, measured }, phase) => {
    const counts = cells.flatMap((cell) => (cell.phase === phase ? [cell.counts] : []));
    const total = (count: 'planned' | 'firedLate'): number => counts.reduce((sum, one) => sum + one[count], 0);
    const late = total('firedLate');
    if (!measured || late <= (1 - deliveredShareMin) * total('planned')) return [];
    const text = `phase ${name}: k6 fired ${shortNumber(late)} of ${plural(total('planned'), 'planned arrival')} more than 100 ms late: it could not deliver this load here; a lower rate, or the native engine`;
    return [{ code: 'iterations-late', text, voidsFailures: false }];
  });
}

function limitedByPool({ cells, phases, run }: RunResult): readonly Fault[] {
  const waited = cells.reduce((sum, cell) => sum + (phases[cell.phase]?.measured ? cell.counts.waitedForConnection : 0), 0);
  if (waited === 0) return [];
  const perRequest = run.scenario.fleet.connection.kind === 'per-request';
  const advice = perRequest
    ? 'raise fleet.connection.openMax'
    : 'the service held all that the generator may open; fewer devices at once, or a higher limit of descriptors';
  const text = `${shortNumber(waited)} arrivals found no free connection and had to wait, so the pool limited the load: ${advice}`;
  // Not void: an arrival that waited counts as good in a threshold's best case.
  return [{ code: 'pool-limited', text, voidsFailures: false }];
}

function limitedByFleet(result: RunResult): readonly Fault[] {
  return heldPhases(result)
    .filter(({ isTooSmall }) => isTooSmall)
    .map(({ text }) => ({ code: 'fleet-limited', text, voidsFailures: true }));
}

/** What it came to may be the doing of what an unmeasured phase left behind; what a measured one left is a failure of its own. */
function begunInBacklog(result: RunResult): readonly Fault[] {
  return backlogsOf(result)
    .filter(({ isWanted }) => !isWanted)
    .map(({ text, name, isOfMeasured }) => ({
      code: 'began-in-backlog',
      text: `${text}, so that ${name} did not begin with what is its own: lower the rate before it, or say beginsInBacklog: true in ${name} where that is what it is about`,
      voidsFailures: !isOfMeasured,
    }));
}

/** The measured phases that began while requests of an earlier one were still queued. */
export function backlogsOf({ phases, run }: Pick<RunResult, 'phases' | 'run'>) {
  return phases.flatMap(({ name, measured, backlog }, index) => {
    if (!measured || backlog === undefined) return [];
    const isWanted = run.scenario.phases[index]?.beginsInBacklog === true;
    const text = `${shortNumber(backlog.seconds)} s of ${backlog.phase}'s queue ran into ${name}`;
    return [{ name, text, isWanted, isOfMeasured: backlog.measured }];
  });
}

function nearLimits({ limits }: RunResult): readonly Fault[] {
  const near = (what: string, code: string, used: number | undefined, max: number | undefined, advice: string): readonly Fault[] =>
    used === undefined || max === undefined || used <= nearLimitShare * max
      ? []
      : [{ code, text: `the generator used ${shortNumber(used)} of ${shortNumber(max)} ${what}: ${advice}`, voidsFailures: true }];
  return [
    ...near(
      'file descriptors',
      'descriptors-near-limit',
      limits.descriptorsUsedMax,
      limits.descriptorsMax,
      'raise the limit (ulimit -n) or use fewer connections',
    ),
    ...near('local ports', 'ports-near-limit', limits.portsUsedMax, limits.portsMax, 'keep connections alive, or spread them over several target ports'),
  ];
}

/** A worker that was killed on purpose does not answer, nor does its node until all of it is back. */
const afterFaultSeconds = 2;

/**
 * A scrape that failed after the load and was repeated with success is none, nor is one that failed while the run itself did something to the service; before the first
 * measured phase nothing is judged.
 */
export function failedScrapes({ scrapes, phases, faults = [] }: Pick<RunResult, 'scrapes' | 'phases' | 'faults'>): {
  readonly judged: number;
  readonly before: number;
} {
  const measuredFrom = Math.min(...phases.filter((phase) => phase.measured).map((phase) => phase.startSeconds));
  const loadUntil = Math.max(...phases.map((phase) => phase.endSeconds));
  const lastGood = Math.max(...scrapes.filter((scrape) => scrape.ok).map((scrape) => scrape.second));
  const inFault = (second: number): boolean =>
    faults.some(({ startSeconds, endSeconds }) => second >= Math.floor(startSeconds) && second <= endSeconds + afterFaultSeconds);
  const failed = scrapes.filter(({ ok, second }) => !ok && !inFault(second));
  const before = failed.filter((scrape) => scrape.second < measuredFrom).length;
  const repeated = failed.filter((scrape) => scrape.second >= loadUntil && lastGood > scrape.second).length;
  return { judged: failed.length - before - repeated, before };
}

function scrapesFailed(result: RunResult): readonly Fault[] {
  const { judged } = failedScrapes(result);
  if (judged === 0) return [];
  const text = `${judged} of ${result.scrapes.length} scrapes of the service's metrics failed: what it said of itself has holes`;
  return [{ code: 'scrape-failed', text, voidsFailures: false }];
}

/** One witness accuses nobody, and nobody is acquitted while the other one is silent. */
function unconfirmed(open: LedgerRecord['unconfirmed']): readonly Fault[] {
  if (open === undefined) return [];
  const counts = suspicions.flatMap((kind) => (open[kind] === 0 ? [] : [`${shortNumber(open[kind])} ${kind}`]));
  const text = `by the export alone events are ${counts.join(', ')}, and the history of their devices could not be asked: ${open.why}`;
  return [{ code: 'ledger-incomplete', text, voidsFailures: false }];
}

/** The same of changes: the pages of the logs are one witness, what a listener gets is the other. */
function unconfirmedChanges(open: ItemLedgerRecord['unconfirmed']): readonly Fault[] {
  if (open === undefined) return [];
  const { lostFromLog, lost, duplicated, reordered, why } = open;
  const total = shortNumber(lostFromLog + lost + duplicated + reordered);
  const text = `by the pages of the logs alone ${total} changes are lost, there twice or out of order, and the logs could not be asked for as a listener gets them: ${why}`;
  return [{ code: 'ledger-incomplete', text, voidsFailures: false }];
}

function ledgerUnread({ ledger, items, webhooks }: RunResult): readonly Fault[] {
  const unread = (what: string, why: string | undefined): readonly Fault[] =>
    why === undefined ? [] : [{ code: 'ledger-incomplete', text: `${what} to its end: ${why}`, voidsFailures: false }];
  return [
    ...unread('what was acknowledged could not be read back', ledger?.incomplete),
    ...unconfirmed(ledger?.unconfirmed),
    ...unread('what readers had to see could not be compared', items?.incomplete),
    ...unconfirmedChanges(items?.unconfirmed),
    ...unread('what receivers had to be told could not be compared', webhooks?.ledger?.incomplete),
  ];
}
