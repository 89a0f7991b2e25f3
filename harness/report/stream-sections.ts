/** The page's tables of streams: who was held, how long it took, who came back, and what either way costs. */
import { type RunResult, streamTimeNames, type Verdict } from '#harness/run-result.ts';
import { type Html, html } from './html.ts';
import { count, figure, ms } from './numbers.ts';
import { herdRows, readerCounts, readerRows } from './stream-rows.ts';
import { cellsRow, reasonsTable, table } from './tables.ts';
import { wayRows } from './ways.ts';

export const countWords = {
  opened: 'opened',
  resumed: 'resumed',
  lost: 'lost',
  byes: 'goodbyes',
  refused: 'refused',
  failed: 'failed',
  heartbeatsLate: 'late beats',
  heartbeatsMissed: 'missed beats',
  resynced: 'began anew',
} as const satisfies Readonly<Record<(typeof readerCounts)[number], string>>;
const heads = ['held min', 'held max', ...readerCounts.map((name) => countWords[name])];

/** Nothing of a run without streams. */
export function streamSections(result: RunResult, { streams }: Verdict): readonly Html[] {
  if (streams === undefined) return [];
  return [streamsSection(result, streams.timesMs), herdSection(result), endingsSection(result), waysSection(result)].filter((part) => part !== undefined);
}

function streamsSection(result: RunResult, timesMs: NonNullable<Verdict['streams']>['timesMs']): Html {
  const rows = readerRows(result).map(({ phase, reader, heldMin, heldMax, counts }) =>
    cellsRow(`${phase} · ${reader}`, [count(heldMin), count(heldMax), ...readerCounts.map((name) => count(counts[name]))]),
  );
  const times = Object.entries(timesMs).flatMap(([phase, readers]) =>
    Object.entries(readers).flatMap(([reader, sets]) =>
      streamTimeNames.flatMap((time) => {
        const set = sets[time];
        return set === undefined ? [] : [cellsRow(`${phase} · ${reader} · ${time}`, [count(set.count), ms(set.p50), ms(set.p90), ms(set.p99), ms(set.max)])];
      }),
    ),
  );
  return html`<section aria-labelledby="streams"><h2 id="streams">Streams</h2>
${table('Streams by phase and reader', ['phase · reader', ...heads], rows)}
<p class="about">Held: live at the end of each whole second of the phase. Late: more than 1.1 heartbeats and 250 ms without a frame; missed: more than two.</p>
<h3>Times, milliseconds</h3>
${table('Times of streams by phase, reader and time', ['phase · reader · time', 'samples', 'p50', 'p90', 'p99', 'max'], times)}
<p class="about">Delivery lag runs from the acknowledgement of a write to the arrival of its change, and is 0 where the change was first. Resume: from a stream’s end until it had caught up again, of those that are back.</p></section>`;
}

export const backText = (value: number): string => (Number.isFinite(value) ? `${figure(value / 1000)} s` : 'never');

function herdSection(result: RunResult): Html | undefined {
  const rows = herdRows(result).map(({ phase, reader, ended, away, back50Ms, back90Ms, back99Ms }) =>
    cellsRow(`${phase} · ${reader}`, [count(ended), backText(back50Ms), backText(back90Ms), backText(back99Ms), count(away)]),
  );
  if (rows.length === 0) return undefined;
  return html`<section aria-labelledby="herd"><h2 id="herd">Who came back</h2>
${table('Time until the herd was back', ['phase · reader', 'ended', '50 % back', '90 % back', '99 % back', 'not back'], rows)}
<p class="about">Of the streams that ended in the phase, lost or told goodbye: how long it took until so many of them had caught up again.</p></section>`;
}

function endingsSection({ streams, phases }: RunResult): Html | undefined {
  const named = (streams?.cells ?? []).map(({ phase, reader, reasons }) => ({ place: `${phases[phase]?.name ?? phase} · ${reader}`, reasons }));
  return reasonsTable(named, { id: 'endings', title: 'Why streams ended, or did not open', head: ['phase · reader · reason', 'streams'] });
}

function waysSection(result: RunResult): Html | undefined {
  const rows = wayRows(result).map(({ phase, reader, way, heldMax, dialledPerSecond, bytesPerSecond, serviceCores, serviceMicrosPerChange, lagMs, changes }) =>
    cellsRow(`${phase} · ${reader}`, [
      way,
      count(heldMax),
      figure(dialledPerSecond),
      count(Math.round(bytesPerSecond)),
      figure(serviceCores),
      figure(serviceMicrosPerChange),
      ms(lagMs.p50),
      ms(lagMs.p90),
      ms(lagMs.p99),
      count(changes),
    ]),
  );
  if (rows.length === 0) return undefined;
  const head = [
    'phase · reader',
    'way',
    'held',
    'requests/s',
    'bytes/s',
    'service cores',
    'service µs a change',
    'lag p50 ms',
    'lag p90 ms',
    'lag p99 ms',
    'changes',
  ];
  return html`<section aria-labelledby="ways"><h2 id="ways">Ways compared</h2>
${table('Streams and polls compared', head, rows)}
<p class="about">Bytes: in and out, as the readers saw them. Service: all of its processes in the phase, what writing the changes cost included; where both ways ran at once nobody can tell whose it was.</p></section>`;
}
