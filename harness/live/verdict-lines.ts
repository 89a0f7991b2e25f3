/** Verdict → the last lines of a run, the same on a terminal and in a log but for colour. Pure. */
import { failureText } from '#harness/gates/failures.ts';
import { fitAside, titleOf } from '#harness/gates/fit-words.ts';
import type { Verdict, VerdictKind } from '#harness/run-result.ts';
import { type Line, type Part, type Style, styled } from './styled.ts';
import { whole } from './texts.ts';

const tones: Readonly<Record<VerdictKind, Style>> = { pass: 'green', fail: 'red', invalid: 'yellow', inconclusive: 'yellow', interrupted: 'yellow' };
const marks: Readonly<Record<'yes' | 'no' | 'unknown', Part>> = { yes: styled('green', '✓'), no: styled('red', '✗'), unknown: styled('yellow', '?') };

const failuresShown = 3;

const shown = (value: number | string | null): string =>
  value === null
    ? 'no samples'
    : typeof value === 'string'
      ? value
      : Math.abs(value) >= 10_000
        ? whole(Math.round(value))
        : String(Number(value.toPrecision(4)));
const counted = (value: number | null): string => (value === null ? 'not known' : whole(value));
const micros = (value: number | null): string => (value === null ? 'not measurable' : `${shown(value)} µs`);

export function verdictLines(verdict: Verdict, folder: string): readonly Line[] {
  const { totals, cpu, streams, webhooks } = verdict;
  const ofStreamsAlone = streams !== undefined && totals.planned === 0;
  const names = verdict.thresholds.map(({ metric, selector, expression }) => {
    const labels = Object.entries(selector).map(([name, value]) => `${name}:${value}`);
    return `${metric}${labels.length === 0 ? '' : `{${labels.join(',')}}`} ${expression}`;
  });
  const width = Math.min(64, Math.max(0, ...names.map(({ length }) => length)));
  const thresholds = verdict.thresholds.map(({ holds, observed, best, worst }, index): Line => {
    const bounds = best === worst ? '' : `   between ${shown(best)} and ${shown(worst)}`;
    return ['  ', marks[holds], ` ${(names[index] ?? '').padEnd(width)}  `, styled('bold', shown(observed)), bounds];
  });
  return [
    [],
    [
      styled('bold', `${titleOf(verdict.scenario, verdict.fit)}: `),
      styled(tones[verdict.verdict], verdict.verdict.toUpperCase()),
      styled('dim', `   exit code ${verdict.exitCode}${fitAside(verdict.fit)}`),
    ],
    ...verdict.reasons.map(({ text }): Line => [`  ${text}`]),
    ...thresholds,
    ...(ofStreamsAlone ? [] : [requestLine(totals)]),
    ...(verdict.failures ?? []).slice(0, failuresShown).map((failure): Line => [styled('dim', '  failed    '), failureText(failure)]),
    // Items have a ledger of their own.
    ...((streams !== undefined && totals.acknowledged === 0) || hasNoLedger(verdict) ? [] : [ledgerLine(totals)]),
    ...(streams === undefined ? [] : streamLines(streams)),
    ...Object.entries(webhooks ?? {}).map(webhookLine),
    ...(ofStreamsAlone ? [] : [[styled('dim', '  cpu       '), `a request: generator ${micros(cpu.generator)}, service ${micros(cpu.system)}`]]),
    ...verdict.notes.map(({ text }): Line => [styled('dim', `  note: ${text}`)]),
    [styled('dim', '  report    '), `${folder}/index.html`],
    [],
  ];
}

/** The note says why. */
const hasNoLedger = ({ notes }: Verdict): boolean => notes.some(({ code }) => code === 'no-ledger');

const requestLine = (totals: Verdict['totals']): Line => [
  styled('dim', '  requests  '),
  listed([
    ['planned', totals.planned],
    ['fired', totals.fired],
    ['answered', totals.answered],
    ['failed', totals.failed],
    ['shed', totals.shed],
    ['never fired', totals.neverFired],
  ]),
  ...whereAny([
    ['fired late', totals.firedLate],
    ['timed out', totals.timedOut],
    ['cut', totals.cut],
    ['in flight at the end', totals.inFlightAtEnd],
  ]),
];

type Counted = readonly (readonly [name: string, count: number])[];
const whereAny = (counts: Counted): Line => counts.filter(([, count]) => count > 0).map(([name, count]) => `, ${name} ${whole(count)}`);
const listed = (counts: Counted): string => counts.map(([name, count]) => `${name} ${whole(count)}`).join(', ');

const ledgerLine = (totals: Verdict['totals']): Line => [
  styled('dim', '  ledger    '),
  `acknowledged ${whole(totals.acknowledged)}, lost ${counted(totals.lost)}, duplicated ${counted(totals.duplicated)}, reordered ${counted(totals.reordered)}`,
];

const streamLines = (streams: NonNullable<Verdict['streams']>): readonly Line[] => [
  [
    styled('dim', '  streams   '),
    `held ${whole(streams.heldMin)} to ${whole(streams.heldMax)}, opened ${whole(streams.opened)}, lost ${whole(streams.lost)}, byes ${whole(streams.byes)}, refused ${whole(streams.refused)}`,
  ],
  [
    styled('dim', '  changes   '),
    `expected ${counted(streams.changesExpected)}, seen ${counted(streams.changesSeen)}, lost ${counted(streams.changesLost)}, duplicated ${counted(streams.changesDuplicated)}, reordered ${counted(streams.changesReordered)}, leaked ${counted(streams.changesLeaked)}`,
  ],
];

function webhookLine([receiver, told]: readonly [string, NonNullable<Verdict['webhooks']>[string]]): Line {
  const { attempts, accepted, repeated, unsigned, deliveries, openMax, expected, lost, duplicated } = told;
  return [
    styled('dim', '  webhooks  '),
    `${receiver}: due ${counted(expected)}, came ${whole(deliveries)}, attempts ${whole(attempts)}, accepted ${whole(accepted)}, repeats ${whole(repeated)}, lost ${counted(lost)}, duplicated ${counted(duplicated)}, unsigned ${whole(unsigned)}, at most ${openMax} at once`,
  ];
}
