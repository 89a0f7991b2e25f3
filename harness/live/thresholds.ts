/** How thresholds stand while the run goes on. Pure. */
import type { Observation } from '#harness/gates/holds.ts';
import type { MetricSource } from '#harness/gates/metric.ts';
import { observe } from '#harness/gates/observe.ts';
import { withoutUnfinishedSeconds } from '#harness/gates/stream-samples.ts';
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import { figureText, thresholdText } from '#harness/gates/wording.ts';
import type { Cell, PhaseRecord, StreamsRecord, WebhooksRecord } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';

export type Standing = {
  readonly text: string;
  /** `not-yet`: nothing can be said before its phase has begun, or before the run is over. */
  readonly state: 'holding' | 'broken' | 'not-yet' | 'unknown';
  readonly observed: string;
};

export type SoFar = {
  readonly scenario: Scenario;
  readonly cells: readonly Cell[];
  readonly phases: readonly PhaseRecord[];
  /** Only of a scenario with streams. */
  readonly streams?: Pick<StreamsRecord, 'cells'>;
  /** Only of a scenario with receivers of webhooks. */
  readonly webhooks?: Pick<WebhooksRecord, 'cells' | 'ledger'>;
};

const kinds: ReadonlySet<string> = new Set<MetricSource['kind']>([
  'time',
  'count',
  'stream-time',
  'stream-count',
  'held',
  'webhook-time',
  'webhook-count',
  'webhook-open',
]);
const states = { yes: 'holding', no: 'broken', unknown: 'unknown' } as const;

/** `phases` are those that have begun, the last one of them running: recovery is looked for in phases that are over. */
export function standingOf(threshold: ParsedThreshold, soFar: SoFar): Standing {
  const text = thresholdText(threshold);
  const figure = isTold(threshold, soFar.phases) ? observed(threshold, soFar) : undefined;
  if (figure?.figure === undefined) return { text, state: 'not-yet', observed: '' };
  return { text, state: states[figure.holds], observed: figureText(figure.figure.seen, threshold) };
}

/** What only the end of a run brings (ledger, drain, scrapes, processor time) cannot be told yet. */
function isTold({ metric, selector }: ParsedThreshold, phases: readonly PhaseRecord[]): boolean {
  const { kind } = metric.source;
  if (kind === 'recovery') return phases.slice(0, -1).some(({ name }) => name === selector.phase);
  return kinds.has(kind);
}

const observed = (threshold: ParsedThreshold, { scenario, streams, ...soFar }: SoFar): Observation =>
  observe(
    {
      ...soFar,
      run: { scenario },
      ...(streams === undefined ? {} : { streams: withoutUnfinishedSeconds(streams) }),
      processes: [],
      scrapes: [],
      ledger: undefined,
      pipelineDrainSeconds: undefined,
      interrupted: { kind: 'no' },
    },
    threshold,
  );
