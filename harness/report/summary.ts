/** Markdown for a pull request or a step summary. */
import { titleOfRun } from '#harness/gates/fit-words.ts';
import { noLedgerText } from '#harness/gates/notes.ts';
import { isOfStreamsAlone, needsNoEventLedger } from '#harness/gates/stream-samples.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { markdownCell as cell, markdownTable as table } from './markdown.ts';
import { markdownText } from './printable.ts';
import { streamParts } from './summary-streams.ts';
import { webhookParts } from './summary-webhooks.ts';

const holdsText = { yes: 'holds', no: '**broken**', unknown: 'cannot be told' } as const;

export function summaryMarkdown(result: RunResult, verdict: Verdict): string {
  const { run, phases } = result;
  const thresholds = verdict.thresholds.map(({ metric, selector, expression, observed, best, worst, samples, holds }) => {
    const labels = Object.entries(selector).map(([name, value]) => `${name}:${value}`);
    return [`\`${metric}${labels.length === 0 ? '' : `{${labels.join(',')}}`}\``, `\`${expression}\``, observed, best, worst, samples, holdsText[holds]];
  });
  return `${[
    `# ${titleOfRun(run)}: ${verdict.verdict}`,
    verdict.reasons.length === 0
      ? 'Every threshold holds, and the measurement can be trusted.'
      : verdict.reasons.map(({ code, text }) => `- \`${code}\` ${markdownText(text)}`).join('\n'),
    verdict.notes.length === 0 ? '' : verdict.notes.map(({ text }) => `- note: ${markdownText(text)}`).join('\n'),
    '## Thresholds',
    table(['metric', 'threshold', 'observed', 'best', 'worst', 'samples', 'verdict'], thresholds),
    ...failureParts(verdict),
    ...(isOfStreamsAlone(result) ? [] : requestParts(result, verdict)),
    ...streamParts(result, verdict),
    ...webhookParts(result, verdict),
    '## Run',
    table(
      ['phase', 'measured', 'from s', 'to s', 'planned'],
      phases.map(({ name, measured, startSeconds, endSeconds, planned }) => [name, measured ? 'yes' : 'no', startSeconds, endSeconds, planned]),
    ),
    `Seed ${run.seed}, plan ${run.planHash}, revision ${run.gitRevision}, ${run.runtime}, ${run.machine.cores} × ${run.machine.cpu}, ${markdownText(`${run.target.url} (${run.target.durability ?? 'durability unknown'})`)}.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}

function failureParts({ failures = [] }: Verdict): readonly string[] {
  const rows = failures.map(({ phase, operation, reader, reason, count }) => [phase, operation ?? reader, markdownText(reason), count]);
  return rows.length === 0 ? [] : ['## What failed', table(['phase', 'of', 'reason', 'count'], rows)];
}

function readPart({ ledger, run }: RunResult): string {
  if (run.request !== undefined) return `There is ${noLedgerText}.`;
  if (ledger === undefined) return 'The ledger was not read.';
  return `Everything was read back in ${ledger.readSeconds.toFixed(1)} s${ledger.incomplete === undefined ? '' : `, **but not to its end: ${markdownText(ledger.incomplete)}**`}.`;
}

function requestParts(result: RunResult, verdict: Verdict): readonly string[] {
  const { totals } = verdict;
  const latency = Object.entries(verdict.latencyMs).flatMap(([phase, operations]) =>
    Object.entries(operations).flatMap(([operation, times]) =>
      Object.entries(times).map(([time, set]) => [phase, operation, time, set.count, set.p50, set.p90, set.p99, set.p999, set.max]),
    ),
  );
  const evenness = Object.entries(verdict.evenness).flatMap(([phase, bins]) =>
    Object.entries(bins).map(([binMs, { planned, fired }]) => [phase, `${binMs} ms`, planned, fired]),
  );
  const calibration = verdict.calibration.map(({ when, targetRatePerSecond, achievedRatePerSecond, addedP50Ms, addedP99Ms, cpuMicrosPerRequest }) => [
    when,
    targetRatePerSecond,
    achievedRatePerSecond,
    addedP50Ms,
    addedP99Ms,
    cpuMicrosPerRequest,
  ]);
  return [
    '## Totals',
    table(Object.keys(totals), [Object.values(totals)]),
    ...(needsNoEventLedger(result) ? [] : [readPart(result)]),
    '## Latency, milliseconds',
    '`service` runs from the first byte written; `response` from the instant the arrival was planned for, so it also holds what a stalled service kept waiting.',
    table(['phase', 'operation', 'time', 'samples', 'p50', 'p90', 'p99', 'p99.9', 'max'], latency),
    '## Evenness of arrivals (index of dispersion: Poisson is 1)',
    table(['phase', 'bins', 'planned', 'fired'], evenness),
    '## Generator',
    table(['calibration', 'asked/s', 'achieved/s', 'added p50 ms', 'added p99 ms', 'µs a request'], calibration),
    `CPU a request: generator ${cell(verdict.cpu.generator)} µs, service ${cell(verdict.cpu.system)} µs.`,
  ];
}
