/** What makes requests and streams fail, most frequent first: for who reads the verdict and not the page. */
import type { RunResult, Verdict } from '#harness/run-result.ts';

type Failure = NonNullable<Verdict['failures']>[number];

const failuresMax = 10;

/** Nothing where nothing failed. Of the whole run, its unmeasured phases too. */
export function failuresOf({ cells, streams, phases }: RunResult): Pick<Verdict, 'failures'> {
  const phaseOf = (index: number): string => phases[index]?.name ?? String(index);
  const found = [
    ...cells.flatMap(({ phase, operation, reasons }) => counted(reasons, { phase: phaseOf(phase), operation })),
    ...(streams?.cells ?? []).flatMap(({ phase, reader, reasons }) => counted(reasons, { phase: phaseOf(phase), reader })),
  ];
  const summed = [...Map.groupBy(found, ({ count, ...what }) => JSON.stringify(what)).values()].map(sumOf);
  const top = summed.sort((a, b) => b.count - a.count).slice(0, failuresMax);
  return top.length === 0 ? {} : { failures: top };
}

const counted = (reasons: Readonly<Record<string, number>>, what: Omit<Failure, 'reason' | 'count'>): readonly Failure[] =>
  Object.entries(reasons).map(([reason, count]) => ({ ...what, reason, count }));

const sumOf = (alike: readonly Failure[]): Failure => ({ ...(alike[0] as Failure), count: alike.reduce((sum, { count }) => sum + count, 0) });

/** `900 × timeout (spike, ingest)` */
export const failureText = ({ phase, operation, reader, reason, count }: Failure): string =>
  `${count.toLocaleString('en-US')} × ${reason} (${phase}, ${operation ?? reader})`;
