/** What one would say of the run in a sentence. */
import { metricOf } from '#harness/gates/catalogue.ts';
import type { MetricSource } from '#harness/gates/metric.ts';
import { observeCpu } from '#harness/gates/observe-single.ts';
import { mostLive } from '#harness/gates/stream-samples.ts';
import { quantileSet } from '#harness/gates/verdict-figures.ts';
import { timesOf } from '#harness/metrics/fold.ts';
import type { RunResult, StreamCell, Verdict } from '#harness/run-result.ts';
import { type Html, html } from './html.ts';
import { count, figure, ms } from './numbers.ts';

const fact = (name: string, value: string, unit: string): Html => html`<div><dt>${name}</dt><dd>${value} <small>${unit}</small></dd></div>`;
const known = (value: number | null, of: number | null): string => (value === null ? 'not known' : `of ${count(of)}`);
const keys = (facts: readonly Html[]): Html => html`<dl class="keys" aria-label="Key figures">${facts}</dl>`;

/** Of the measured phase with the most arrivals; where none has any or the thresholds are about streams, of the one with the most streams. */
export function keyFigures(result: RunResult, verdict: Verdict): Html | undefined {
  const { phases, streams } = result;
  const asked = heaviestPhase(phases);
  const isOfStreams = (phases[asked]?.planned ?? 0) === 0 || isAboutStreams(verdict);
  return isOfStreams && streams !== undefined ? ofStreams(result, verdict, streams.cells) : ofRequests(result, verdict, asked);
}

const ofStreamsOnly = new Set<string>(['stream-time', 'stream-count', 'held', 'items'] satisfies MetricSource['kind'][]);
const ofRequestsOnly = new Set<string>(['time', 'count', 'recovery'] satisfies MetricSource['kind'][]);

/** More of its thresholds are about streams than about requests: what a few writers do for them is no headline. */
function isAboutStreams({ thresholds }: Verdict): boolean {
  const kinds = thresholds.map(({ metric }) => metricOf(metric)?.source.kind ?? '');
  return kinds.filter((kind) => ofStreamsOnly.has(kind)).length > kinds.filter((kind) => ofRequestsOnly.has(kind)).length;
}

/** What a threshold on times names, else what was fired most. */
function mainOperation({ cells }: RunResult, { thresholds }: Verdict, phase: number): string | undefined {
  const fired = new Map<string, number>();
  for (const cell of cells) if (cell.phase === phase) fired.set(cell.operation, (fired.get(cell.operation) ?? 0) + cell.counts.fired);
  const named = thresholds.find(({ metric, selector }) => metricOf(metric)?.source.kind === 'time' && fired.has(selector.operation ?? ''));
  return named?.selector.operation ?? [...fired].sort((a, b) => b[1] - a[1])[0]?.[0];
}

const changesLost = ({ changesLost: lost, changesExpected }: NonNullable<Verdict['streams']>): Html =>
  fact('changes lost', count(lost), known(lost, changesExpected));

function ofRequests(result: RunResult, verdict: Verdict, main: number): Html | undefined {
  const { phases, cells } = result;
  const { latencyMs, totals, cpu } = verdict;
  const operation = mainOperation(result, verdict, main);
  const phase = phases[main];
  if (phase === undefined || operation === undefined) return undefined;
  const lastedSeconds = phase.endSeconds - phase.startSeconds;
  const fired = cells.reduce((sum, cell) => sum + (cell.phase === main && cell.operation === operation ? cell.counts.fired : 0), 0);
  const times = latencyMs[phase.name]?.[operation];
  const quantiles = times?.response ?? times?.service;
  const time = times?.response === undefined ? 'service' : 'response';
  return keys([
    fact(`${phase.name}: ${operation} fired`, count(Math.round(fired / lastedSeconds)), `/s for ${figure(Number(lastedSeconds.toFixed(1)))} s`),
    fact(`${time} p50`, ms(quantiles?.p50), 'ms'),
    fact(`${time} p99`, ms(quantiles?.p99), 'ms'),
    fact('failed', count(totals.failed), `of ${count(totals.planned)}`),
    lostFact(verdict),
    ...webhookFacts(verdict),
    fact('service', figure(cpu.system), 'µs a request'),
  ]);
}

/** Where no event was acknowledged, what was written were items, or registrations that webhooks tell of. */
function lostFact({ totals, streams, webhooks }: Verdict): Html {
  if (totals.acknowledged === 0 && streams !== undefined) return changesLost(streams);
  if (totals.acknowledged === 0 && webhooks !== undefined) return webhooksLost(Object.values(webhooks));
  return fact('lost', count(totals.lost), known(totals.lost, totals.acknowledged));
}

function webhooksLost(receivers: readonly { readonly lost: number | null; readonly expected: number | null }[]): Html {
  const sum = (name: 'lost' | 'expected'): number | null =>
    receivers.reduce<number | null>((all, one) => (all === null || one[name] === null ? null : all + one[name]), 0);
  return fact('webhooks lost', count(sum('lost')), known(sum('lost'), sum('expected')));
}

/** Of the first threshold on how late webhooks are, what was observed. */
function webhookFacts({ thresholds }: Verdict): readonly Html[] {
  const first = thresholds.find(({ metric }) => metricOf(metric)?.source.kind === 'webhook-time');
  if (first === undefined) return [];
  const [what = ''] = first.expression.split(/[<>=!]/);
  return [fact(`webhook delay ${what}`, figure(first.observed), 'ms')];
}

function ofStreams(result: RunResult, { streams }: Verdict, cells: readonly StreamCell[]): Html | undefined {
  const cellsIn = (phase: number): readonly StreamCell[] => cells.filter((cell) => cell.phase === phase);
  const heldIn = (phase: number): number => mostLive(cellsIn(phase));
  const main = heaviestBy(result.phases, heldIn);
  const phase = result.phases[main];
  if (phase === undefined || streams === undefined) return undefined;
  const lag = quantileSet(timesOf(cellsIn(main), 'delivery_lag'));
  return keys([
    fact(`${phase.name}: held`, count(heldIn(main)), `streams for ${figure(Number((phase.endSeconds - phase.startSeconds).toFixed(1)))} s`),
    fact('delivery lag p50', ms(lag.p50), 'ms'),
    fact('delivery lag p99', ms(lag.p99), 'ms'),
    fact('streams lost', count(streams.lost), `of ${count(streams.opened)} opened`),
    changesLost(streams),
    fact('service', figure(observeCpu(result, { process: 'system' }, 'frame').figure?.seen), 'µs a frame'),
  ]);
}

const heaviestPhase = (phases: RunResult['phases']): number => heaviestBy(phases, (index) => phases[index]?.planned ?? 0);

function heaviestBy(phases: RunResult['phases'], weigh: (index: number) => number): number {
  const measured = phases.flatMap((phase, index) => (phase.measured ? [index] : []));
  return measured.reduce((most, index) => (weigh(index) > weigh(most) ? index : most), measured[0] ?? 0);
}
