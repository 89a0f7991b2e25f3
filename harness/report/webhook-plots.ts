/** What is drawn of webhooks, as data. */
import { timesOf } from '#harness/metrics/fold.ts';
import type { RunResult, Verdict, WebhookCell } from '#harness/run-result.ts';
import { ms } from './numbers.ts';
import { type Line, limitsOf, most, plain, quantileLines, type TimePlot } from './plot.ts';
import { coveredShares, maxOf, mostBeside, quantileColumns, ratesOf, secondsOf, sumColumn } from './series.ts';

const receiverColours = ['answered', 'fired', 'gc', 'lag', 'steal', 'p99'] as const;

/** None of a run without receivers. */
export function webhookPlots(result: RunResult, verdict: Verdict): readonly TimePlot[] {
  const { webhooks, run } = result;
  if (webhooks === undefined) return [];
  const receivers = (run.scenario.webhooks ?? []).map(({ name }) => ({ name, cells: webhooks.cells.filter(({ receiver }) => receiver === name) }));
  return [attemptsPlot(result, receivers), ...receivers.map((receiver) => delayPlot(result, verdict, receiver))];
}

type Receiver = { readonly name: string; readonly cells: readonly WebhookCell[] };

function attemptsPlot(result: RunResult, receivers: readonly Receiver[]): TimePlot {
  const shares = coveredShares(secondsOf(result), result.phases);
  const lines = receivers.map(({ name, cells }, index): Line => {
    const attempts = sumColumn(secondsOf(result), cells, ({ counts }) => counts.attempts);
    return {
      label: name,
      values: ratesOf(attempts, shares, mostBeside(attempts)),
      colour: receiverColours[index % receiverColours.length] as string,
      look: index === 0 ? 'area' : 'line',
    };
  });
  const spoken = `Attempts per second: ${lines.map((line) => `at most ${most(line)} to ${line.label}`).join(', ')}.`;
  const about = 'Requests that told a receiver of an event, by the second in which they came.';
  return { ...plain, id: 'webhooks', title: 'Webhook attempts', about, unit: '/s', wide: true, lines, spoken };
}

function delayPlot(result: RunResult, verdict: Verdict, { name, cells }: Receiver): TimePlot {
  const columns = quantileColumns(secondsOf(result), cells, (some: readonly WebhookCell[]) => timesOf(some, 'delay'));
  const { p50, p99, max } = columns;
  return {
    ...plain,
    id: `webhook-delay-${name}`,
    title: `Webhook delay of ${name}`,
    about: 'From an event’s time to its first arrival, by the second of the event. Shaded seconds are the generator’s or the machine’s own trouble.',
    unit: 'ms',
    log: true,
    shaded: true,
    wide: true,
    lines: quantileLines(columns),
    limits: limitsOf(result, verdict, 'webhook_delay_ms', { receiver: name }),
    spoken: `Webhook delay of ${name} in milliseconds by second: p50 at most ${ms(maxOf(p50))}, p99 at most ${ms(maxOf(p99))}, worst ${ms(maxOf(max))}.`,
  };
}
