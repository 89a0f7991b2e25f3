/** The page's words and tables. The verdict and its reasons come first; nothing here needs a script. */
import { fitAside, titleOfRun } from '#harness/gates/fit-words.ts';
import { isOfStreamsAlone } from '#harness/gates/stream-samples.ts';
import type { RunResult, Verdict, VerdictKind, WorkerLag } from '#harness/run-result.ts';
import { timeNames } from '#harness/run-result.ts';
import { type Html, html } from './html.ts';
import { keyFigures } from './key-figures.ts';
import { conditionOf, count, figure, holdsText, metricText, ms, notMeasured, share, usedShare, verdictSentence } from './numbers.ts';
import { whyTheyDiffer } from './percentiles.ts';
import { cellsRow, reasonsTable, table } from './tables.ts';

const marks: Readonly<Record<VerdictKind, string>> = { pass: '✓', fail: '✗', invalid: '⚠', inconclusive: '≈', interrupted: '■' };
const holdsMarks = { yes: '✓', no: '✗', unknown: '?' } as const;

export function verdictSection(result: RunResult, verdict: Verdict): Html {
  const { run } = result;
  const { kind, mark } = { kind: verdict.verdict, mark: marks[verdict.verdict] };
  return html`<section class="verdict is-${kind}" aria-labelledby="verdict">
<p class="scenario">${titleOfRun(run)}<span>${run.scenario.description}</span></p>
<h1 id="verdict"><span class="mark" aria-hidden="true">${mark}</span> ${kind}</h1>
<p class="sentence">${verdictSentence[kind]}</p>
${keyFigures(result, verdict)}
${verdict.reasons.length === 0 ? undefined : html`<ul class="reasons" aria-label="Reasons">${verdict.reasons.map(({ code, text }) => html`<li><code>${code}</code> ${text}</li>`)}</ul>`}
${verdict.notes.length === 0 ? undefined : html`<ul class="notes" aria-label="Notes, which change nothing">${verdict.notes.map(({ code, text }) => html`<li><code>${code}</code> ${text}</li>`)}</ul>`}
<p class="exit">exit code ${verdict.exitCode}${fitAside(run.fit)}</p>
</section>`;
}

export function thresholdsSection({ thresholds }: Verdict): Html {
  const rows = thresholds.map((one) => {
    const bounds = one.best === one.worst ? notMeasured : `${figure(one.best)} … ${figure(one.worst)}`;
    return html`<tr class="holds-${one.holds}">
<th scope="row"><code>${metricText(one)}</code></th>
<td data-label="has to be"><code>${one.expression}</code></td>
<td data-label="observed" class="number strong">${figure(one.observed)}</td>
<td data-label="headroom">${headroomBar(one)}</td>
<td data-label="best … worst" class="number">${bounds}</td>
<td data-label="samples" class="number">${count(one.samples)}</td>
<td data-label="verdict" class="holds"><span aria-hidden="true">${holdsMarks[one.holds]}</span> ${holdsText[one.holds]}</td>
</tr>`;
  });
  return html`<section aria-labelledby="thresholds"><h2 id="thresholds">Thresholds</h2>
<div class="scroll"><table class="stacks"><thead><tr><th scope="col">metric</th><th scope="col">has to be</th><th scope="col" class="number">observed</th><th scope="col">headroom</th><th scope="col" class="number">best … worst</th><th scope="col" class="number">samples</th><th scope="col">verdict</th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="about">Headroom: what is left of an upper limit, the bar empty where nothing is. Best and worst: with every unknown arrival good, and with every one bad; where they are apart, the truth is between them.</p></section>`;
}

function headroomBar(one: Verdict['thresholds'][number]): Html | undefined {
  if (one.holds === 'unknown') return html`<span class="bar-text">${leftBetween(one)}</span>`;
  const used = usedShare(one);
  if (used === undefined) return html`<span class="bar-text">${conditionOf(one.expression)?.operator === '==' ? 'exact' : notMeasured}</span>`;
  const left = Math.max(0, 1 - used).toFixed(3);
  return html`<span class="bar" style="--left:${left}" aria-hidden="true"></span><span class="bar-text">${leftText(used)}</span>`;
}

const leftText = (used: number): string => (used <= 1 ? `${share(Number((1 - used).toFixed(3)))} left` : `${share(Number((used - 1).toFixed(3)))} over`);

/** No bar: what cannot be told has no one length. */
function leftBetween({ expression, best, worst }: Verdict['thresholds'][number]): string {
  const ends = [best, worst].map((observed) => usedShare({ expression, observed })).filter((used) => used !== undefined);
  return ends.length === 2 ? ends.map(leftText).join(' … ') : notMeasured;
}

export function latencySection({ latencyMs }: Verdict): Html | undefined {
  const rows = Object.entries(latencyMs).flatMap(([phase, operations]) =>
    Object.entries(operations).flatMap(([operation, times]) =>
      timeNames.flatMap((time) => {
        const set = times[time];
        if (set === undefined) return [];
        return [cellsRow(`${phase} · ${operation} · ${time}`, [count(set.count), ms(set.p50), ms(set.p90), ms(set.p99), ms(set.p999), ms(set.max)])];
      }),
    ),
  );
  if (rows.length === 0) return undefined;
  return html`<section aria-labelledby="latency-table"><h2 id="latency-table">Latency, milliseconds</h2>
${table('Latency by phase, operation and time', ['phase · operation · time', 'samples', 'p50', 'p90', 'p99', 'p99.9', 'max'], rows)}
<p class="about">Good answers only; failures are counted above. ${whyTheyDiffer}</p></section>`;
}

export function reasonsSection({ cells, phases }: RunResult): Html | undefined {
  const named = cells.map(({ phase, operation, reasons }) => ({ place: `${phases[phase]?.name ?? phase} · ${operation}`, reasons }));
  return reasonsTable(named, { id: 'failures-table', title: 'Why requests failed', head: ['phase · operation · reason', 'requests'] });
}

export function generatorSection(result: RunResult, verdict: Verdict): Html | undefined {
  const dispatch = Object.entries(verdict.latencyMs).flatMap(([phase, operations]) =>
    Object.entries(operations).flatMap(([operation, { dispatch_delay: set }]) =>
      set === undefined ? [] : [cellsRow(`${phase} · ${operation}`, [count(set.count), ms(set.p50), ms(set.p90), ms(set.p99), ms(set.p999), ms(set.max)])],
    ),
  );
  const evenness = Object.entries(verdict.evenness).flatMap(([phase, bins]) =>
    Object.entries(bins)
      .sort((a, b) => Number(a[0]) - Number(b[0]))
      .map(([binMs, { planned, fired }]) => cellsRow(`${phase} · ${binMs} ms`, [planned.toFixed(2), fired.toFixed(2)])),
  );
  const arrivals = html`<div class="pair"><div><h3>Dispatch delay, milliseconds</h3>${table('Dispatch delay', ['phase · operation', 'samples', 'p50', 'p90', 'p99', 'p99.9', 'max'], dispatch)}
<p class="about">From the planned instant to the first byte written: the generator’s own lateness, which response contains.</p></div>
<div><h3>Evenness of arrivals</h3>${table('Index of dispersion by bin width', ['phase · bin', 'planned', 'fired'], evenness)}
<p class="about">Index of dispersion: variance over mean of arrivals in a bin. A Poisson process has 1, an even plan 0; far above the plan is a burst the plan did not ask for.</p></div></div>`;
  return html`<section aria-labelledby="generator-table"><h2 id="generator-table">The instrument itself</h2>
${isOfStreamsAlone(result) ? undefined : arrivals}
${holdersPart(result)}
${isOfStreamsAlone(result) && result.calibration.length === 0 ? undefined : calibrationPart(result)}</section>`;
}

function calibrationPart({ calibration }: RunResult): Html {
  const rows = calibration.map((one) =>
    cellsRow(`${one.when} the run, ${figure(one.secondsDriven)} s`, [
      count(Math.round(one.targetRatePerSecond)),
      count(Math.round(one.achievedRatePerSecond)),
      ms(one.addedP50Ms),
      ms(one.addedP99Ms),
      ms(one.dispatchDelayP99Ms),
      figure(one.cpuMicrosPerRequest),
    ]),
  );
  return html`<h3>Calibration</h3>
${rows.length === 0 ? html`<p>The generator was not calibrated.</p>` : table('Calibration', ['', 'asked/s', 'achieved/s', 'adds p50 ms', 'adds p99 ms', 'dispatch p99 ms', 'µs a request'], rows)}
<p class="about">Against a built-in target with a known delay: what this generator can drive on this machine, and what it adds to a time it measures.</p>`;
}

function holdersPart({ streams }: RunResult): Html | undefined {
  if (streams === undefined || streams.processes.length === 0) return undefined;
  const rows = [...Map.groupBy(streams.processes, ({ worker }) => worker)].map(([worker, seconds]) => {
    const most = (value: (one: WorkerLag) => number): number => Math.max(...seconds.map(value));
    const stops = seconds.filter(({ stopMsTotal }) => stopMsTotal > 0).length;
    return cellsRow(`process ${worker + 1}`, [
      ms(most((one) => one.loopDelayMaxMs)),
      count(stops),
      ms(most((one) => one.gcMsMax)),
      share(most((one) => one.utilisation)),
    ]);
  });
  return html`<h3>Processes that hold streams</h3>${table('Processes that hold streams', ['', 'worst loop delay ms', 'seconds with a stop', 'worst collection ms', 'busiest second'], rows)}
<p class="about">What such a process reads late, a stream seems to have sent late: what its stops touched counts as unknown.</p>`;
}

export function runSection({ run, phases, limits }: RunResult): Html {
  const fact = (name: string, value: string): Html => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const used = (value: number | undefined, max: number | undefined): string => `${count(value)} of ${count(max)}`;
  const rows = phases.map(({ name, measured, startSeconds, endSeconds, planned, settled }) =>
    cellsRow(name, [
      measured ? 'yes' : settled === undefined ? 'no' : settled ? 'no, settled' : 'no, never settled',
      startSeconds.toFixed(1),
      endSeconds.toFixed(1),
      count(planned),
    ]),
  );
  return html`<section aria-labelledby="run"><h2 id="run">Run</h2>
<dl class="facts">${[
    fact('started', `${run.startedAt.slice(0, 19).replace('T', ' ')} UTC`),
    fact('run', run.id),
    fact('seed', String(run.seed)),
    fact('plan', run.planHash),
    fact('revision', run.gitRevision),
    fact('runtime', run.runtime),
    fact('engine', `${run.engine}, ${run.wire}`),
    fact('machine', `${run.machine.cores} × ${run.machine.cpu}, ${(run.machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, ${run.machine.kernel}`),
    fact('target', `${run.target.url}${run.target.owned ? ', started by this run' : ''}`),
    fact('durability', run.target.durability ?? 'not said'),
    fact('service workers', count(run.target.workers)),
    ...(run.target.nodes === undefined ? [] : [fact('service nodes', count(run.target.nodes))]),
    ...(run.target.balancer === undefined ? [] : [fact('before the service', run.target.balancer)]),
    fact('descriptors', used(limits.descriptorsUsedMax, limits.descriptorsMax)),
    fact('ports', used(limits.portsUsedMax, limits.portsMax)),
  ]}</dl>
${table('Phases', ['phase', 'measured', 'from s', 'to s', 'planned'], rows)}</section>`;
}
