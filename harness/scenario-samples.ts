/** Thresholds that could never have a sample, each with the reason: known before the run, and not at its end. Pure. */
import { mostOf } from '#harness/engine/streams/plan.ts';
import type { MetricSource } from '#harness/gates/metric.ts';
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import { arrivalCount } from '#harness/pacing/rate.ts';
import { chainsOf, type Phase, type Scenario, trafficOf } from './scenario.ts';

type Trouble = string | undefined;
type Looks = (scenario: Scenario, threshold: ParsedThreshold) => Trouble;

const always: Looks = () => undefined;

/** By where a metric's samples come from, why there would be none. What only the run can tell is not asked. */
const troubleBySource: Readonly<Record<MetricSource['kind'], Looks>> = {
  time: requestTrouble,
  count: requestTrouble,
  recovery: recoveryTrouble,
  cpu: (scenario, threshold) => (perFrame(threshold) ? streamTrouble(scenario, threshold) : requestTrouble(scenario, threshold)),
  'stream-time': streamTrouble,
  'stream-count': streamTrouble,
  held: streamTrouble,
  items: streamTrouble,
  resident: streamTrouble,
  'webhook-time': webhookTrouble,
  'webhook-count': webhookTrouble,
  'webhook-open': webhookTrouble,
  'webhook-ledger': webhookTrouble,
  ledger: always,
  drain: always,
  scrape: always,
  growth: always,
};

export const sampleTrouble: Looks = (scenario, threshold) => troubleBySource[threshold.metric.source.kind](scenario, threshold);

const perFrame = ({ metric: { source } }: ParsedThreshold): boolean => source.kind === 'cpu' && source.per === 'frame';

/** No selector of a phase means those that are measured. */
function requestTrouble({ phases, chains }: Scenario, { metric, selector }: ParsedThreshold): Trouble {
  const meant = phases.filter(({ name, measured }) => (selector.phase === undefined ? measured : name === selector.phase));
  const where = selector.phase === undefined ? 'the measured phases' : `the phase "${selector.phase}"`;
  const driven = meant.filter((phase) => arrivalCount(phase) > 0);
  if (driven.length === 0) return `no arrival is planned in ${where}: the rate is 0 throughout, so there would be no sample`;
  const used = driven.flatMap((phase) => chainsIn(phase, chains));
  const { operation } = selector;
  if (operation === undefined) return undefined;
  const operations = [...new Set(used.flat())];
  if (!operations.includes(operation))
    return `no chain that is driven in ${where} has "${operation}", so there would be no sample: there is ${operations.join(', ')}`;
  const isResponse = metric.source.kind === 'time' && metric.source.time === 'response';
  if (!isResponse || used.some(([first]) => first === operation)) return undefined;
  return `response counts from the plan, and "${operation}" is never the first of a chain, so there would be no sample: ask for its service_ms, or the chain_ms`;
}

const chainsIn = (phase: Phase, named: Scenario['chains']): readonly (readonly string[])[] =>
  trafficOf(phase).flatMap(({ chain }) => {
    const operations = chainsOf(named)[chain];
    return operations === undefined ? [] : [operations];
  });

function recoveryTrouble(scenario: Scenario, threshold: ParsedThreshold): Trouble {
  const { phase, baseline, ...rest } = threshold.selector;
  const of = (name: string | undefined): Trouble =>
    requestTrouble(scenario, { ...threshold, selector: { ...rest, ...(name === undefined ? {} : { phase: name }) } });
  return of(phase) ?? of(baseline);
}

function streamTrouble({ streams, phases }: Scenario, { selector: { reader } }: ParsedThreshold): Trouble {
  if (streams === undefined) return 'the scenario has no streams, so there would be no sample';
  const meant = streams.readers.filter(({ name }) => reader === undefined || name === reader);
  if (meant.some(({ name }) => mostOf(phases, name) > 0)) return undefined;
  return `no phase has a population of ${reader === undefined ? 'any reader' : `"${reader}"`}, so nobody listens and there would be no sample`;
}

function webhookTrouble({ webhooks }: Scenario): Trouble {
  return webhooks === undefined ? 'the scenario has no receivers of webhooks, so there would be no sample' : undefined;
}
