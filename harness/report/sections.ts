/** The page's words and tables. The verdict and its reasons come first; nothing here needs a script. */
import type { LedgerRecord, RunResult, Verdict, VerdictKind } from '#harness/run-result.ts';
import { timeNames } from '#harness/run-result.ts';
import { type Html, html } from './html.ts';
import { conditionOf, count, figure, holdsText, metricText, ms, notMeasured, share, usedShare, verdictSentence } from './numbers.ts';
import { whyTheyDiffer } from './percentiles.ts';

const marks: Readonly<Record<VerdictKind, string>> = { pass: '✓', fail: '✗', invalid: '⚠', inconclusive: '≈', interrupted: '■' };
const holdsMarks = { yes: '✓', no: '✗', unknown: '?' } as const;

export function verdictSection(result: RunResult, verdict: Verdict): Html {
  const { run } = result;
  const { kind, mark } = { kind: verdict.verdict, mark: marks[verdict.verdict] };
  return html`<section class="verdict is-${kind}" aria-labelledby="verdict">
<p class="scenario">${run.scenario.name}<span>${run.scenario.description}</span></p>
<h1 id="verdict"><span class="mark" aria-hidden="true">${mark}</span> ${kind}</h1>
<p class="sentence">${verdictSentence[kind]}</p>
${keyFigures(result, verdict)}
${verdict.reasons.length === 0 ? undefined : html`<ul class="reasons" aria-label="Reasons">${verdict.reasons.map(({ code, text }) => html`<li><code>${code}</code> ${text}</li>`)}</ul>`}
${verdict.notes.length === 0 ? undefined : html`<ul class="notes" aria-label="Notes, which change nothing">${verdict.notes.map(({ code, text }) => html`<li><code>${code}</code> ${text}</li>`)}</ul>`}
<p class="exit">exit code ${verdict.exitCode}</p>
</section>`;
}

/** What one would say of the run in a sentence: of the measured phase with the most arrivals, and of the ledger. */
function keyFigures({ phases, cells }: RunResult, { latencyMs, totals, cpu }: Verdict): Html | undefined {
  const main = heaviestPhase(phases);
  const operation = cells.find((cell) => cell.phase === main)?.operation;
  const phase = phases[main];
  if (phase === undefined || operation === undefined) return undefined;
  const lastedSeconds = phase.endSeconds - phase.startSeconds;
  const fired = cells.reduce((sum, cell) => sum + (cell.phase === main && cell.operation === operation ? cell.counts.fired : 0), 0);
  const times = latencyMs[phase.name]?.[operation];
  const quantiles = times?.response ?? times?.service;
  const fact = (name: string, value: string, unit: string): Html => html`<div><dt>${name}</dt><dd>${value} <small>${unit}</small></dd></div>`;
  return html`<dl class="keys" aria-label="Key figures">
${fact(`${phase.name}: ${operation} fired`, count(Math.round(fired / lastedSeconds)), `/s for ${figure(Number(lastedSeconds.toFixed(1)))} s`)}
${fact(times?.response === undefined ? 'service p50' : 'response p50', ms(quantiles?.p50), 'ms')}
${fact(times?.response === undefined ? 'service p99' : 'response p99', ms(quantiles?.p99), 'ms')}
${fact('failed', count(totals.failed), `of ${count(totals.planned)}`)}
${fact('lost', count(totals.lost), totals.lost === null ? 'not known' : `of ${count(totals.acknowledged)}`)}
${fact('service', figure(cpu.system), 'µs a request')}
</dl>`;
}

export function heaviestPhase(phases: RunResult['phases']): number {
  const measured = phases.flatMap((phase, index) => (phase.measured ? [index] : []));
  return measured.reduce((most, index) => ((phases[index]?.planned ?? 0) > (phases[most]?.planned ?? -1) ? index : most), measured[0] ?? 0);
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
<p class="about">Headroom: what is left of an upper limit. Best and worst: with every unknown arrival good, and with every one bad; where they are apart, the truth is between them.</p></section>`;
}

function headroomBar(one: Verdict['thresholds'][number]): Html | undefined {
  const used = usedShare(one);
  if (used === undefined) return html`<span class="bar-text">${conditionOf(one.expression)?.operator === '==' ? 'exact' : notMeasured}</span>`;
  const left = 1 - used;
  const words = left >= 0 ? `${share(Number(left.toFixed(3)))} left` : `${share(Number((-left).toFixed(3)))} over`;
  return html`<span class="bar" style="--used:${Math.min(1, used).toFixed(3)}" aria-hidden="true"></span><span class="bar-text">${words}</span>`;
}

export function totalsSection({ ledger }: RunResult, { totals, cpu }: Verdict): Html {
  const tile = (name: string, value: string, tone = ''): Html => html`<div class="tile ${tone}"><dt>${name}</dt><dd>${value}</dd></div>`;
  const bad = (value: number | null): string => (value === null ? 'is-unknown' : value > 0 ? 'is-bad' : '');
  return html`<section aria-labelledby="totals"><h2 id="totals">Totals</h2>
<dl class="tiles">
${tile('planned', count(totals.planned))}${tile('fired', count(totals.fired), totals.fired < totals.planned ? 'is-caution' : '')}${tile('answered', count(totals.answered))}
${tile('failed', count(totals.failed), bad(totals.failed))}${tile('timed out', count(totals.timedOut), bad(totals.timedOut))}${tile('shed', count(totals.shed), totals.shed > 0 ? 'is-caution' : '')}${tile('dropped', count(totals.dropped), totals.dropped > 0 ? 'is-caution' : '')}
${tile('generator µs/request', figure(cpu.generator))}${tile('service µs/request', figure(cpu.system))}
</dl>
<h3 id="ledger">Ledger</h3>
${ledger === undefined ? html`<p>Nothing was read back: whether what was acknowledged is there is not known.</p>` : ledgerPart(ledger, tile, bad)}
</section>`;
}

const withFound = (all: number, found: number): string => (found > 0 ? `${count(all)} (${count(found)})` : count(all));

type Tile = (name: string, value: string, tone?: string) => Html;

function ledgerPart(ledger: LedgerRecord, tile: Tile, bad: (value: number | null) => string): Html {
  const { acknowledged, lost, duplicated, reordered, refused, refusedFound, unknown, unknownFound, foreign, conservationError, readSeconds, incomplete } =
    ledger;
  const known = (value: number): number | null => (incomplete === undefined ? value : null);
  return html`<dl class="tiles">
${tile('acknowledged', count(acknowledged))}${tile('lost', count(known(lost)), bad(known(lost)))}${tile('duplicated', count(known(duplicated)), bad(known(duplicated)))}${tile('reordered', count(known(reordered)), bad(known(reordered)))}
${tile(refusedFound > 0 ? 'refused (there)' : 'refused', withFound(refused, refusedFound), bad(refusedFound))}${tile(unknown > 0 ? 'unknown (there)' : 'unknown', unknown > 0 ? `${count(unknown)} (${count(unknownFound)})` : '0')}${tile('not of the plan', count(foreign), foreign > 0 ? 'is-caution' : '')}${tile('conservation error', count(conservationError), bad(conservationError ?? null))}
</dl>
<p class="about">${incomplete === undefined ? `Everything was read back through the public API in ${readSeconds.toFixed(1)} s.` : `Reading back stopped after ${readSeconds.toFixed(1)} s: ${incomplete}. Nothing is known of what is missing.`}</p>
${
  ledger.examples.length === 0
    ? undefined
    : html`<details><summary>Examples</summary><ul class="plain">${ledger.examples.map(({ kind, eventId }) => html`<li>${kind} <code>${eventId}</code></li>`)}</ul></details>`
}`;
}

const cellsRow = (first: string, cells: readonly string[]): Html =>
  html`<tr><th scope="row">${first}</th>${cells.map((cell) => html`<td class="number">${cell}</td>`)}</tr>`;

function table(label: string, head: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead><tr>${head.map((one, index) => html`<th scope="col"${index === 0 ? undefined : html` class="number"`}>${one}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

export function latencySection({ latencyMs }: Verdict): Html {
  const rows = Object.entries(latencyMs).flatMap(([phase, operations]) =>
    Object.entries(operations).flatMap(([operation, times]) =>
      timeNames.flatMap((time) => {
        const set = times[time];
        if (set === undefined) return [];
        return [cellsRow(`${phase} · ${operation} · ${time}`, [count(set.count), ms(set.p50), ms(set.p90), ms(set.p99), ms(set.p999), ms(set.max)])];
      }),
    ),
  );
  return html`<section aria-labelledby="latency-table"><h2 id="latency-table">Latency, milliseconds</h2>
${table('Latency by phase, operation and time', ['phase · operation · time', 'samples', 'p50', 'p90', 'p99', 'p99.9', 'max'], rows)}
<p class="about">Good answers only; failures are counted above. ${whyTheyDiffer}</p></section>`;
}

export function reasonsSection({ cells, phases }: RunResult): Html | undefined {
  const counts = new Map<string, number>();
  for (const cell of cells) {
    for (const [reason, times] of Object.entries(cell.reasons)) {
      const key = `${phases[cell.phase]?.name ?? cell.phase} · ${cell.operation} · ${reason}`;
      counts.set(key, (counts.get(key) ?? 0) + times);
    }
  }
  if (counts.size === 0) return undefined;
  const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, times]) => cellsRow(reason, [count(times)]));
  return html`<section aria-labelledby="failures-table"><h2 id="failures-table">Why requests failed</h2>${table('Failures by phase, operation and reason', ['phase · operation · reason', 'requests'], rows)}</section>`;
}

export function generatorSection(result: RunResult, verdict: Verdict): Html {
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
  const calibration = result.calibration.map((one) =>
    cellsRow(`${one.when} the run, ${figure(one.secondsDriven)} s`, [
      count(Math.round(one.targetRatePerSecond)),
      count(Math.round(one.achievedRatePerSecond)),
      ms(one.addedP50Ms),
      ms(one.addedP99Ms),
      ms(one.dispatchDelayP99Ms),
      figure(one.cpuMicrosPerRequest),
    ]),
  );
  return html`<section aria-labelledby="generator-table"><h2 id="generator-table">The instrument itself</h2>
<div class="pair"><div><h3>Dispatch delay, milliseconds</h3>${table('Dispatch delay', ['phase · operation', 'samples', 'p50', 'p90', 'p99', 'p99.9', 'max'], dispatch)}
<p class="about">From the planned instant to the first byte written: the generator’s own lateness, which response contains.</p></div>
<div><h3>Evenness of arrivals</h3>${table('Index of dispersion by bin width', ['phase · bin', 'planned', 'fired'], evenness)}
<p class="about">Index of dispersion: variance over mean of arrivals in a bin. A Poisson process has 1, an even plan 0; far above the plan is a burst the plan did not ask for.</p></div></div>
<h3>Calibration</h3>
${calibration.length === 0 ? html`<p>The generator was not calibrated.</p>` : table('Calibration', ['', 'asked/s', 'achieved/s', 'adds p50 ms', 'adds p99 ms', 'dispatch p99 ms', 'µs a request'], calibration)}
<p class="about">Against a built-in target with a known delay: what this generator can drive on this machine, and what it adds to a time it measures.</p></section>`;
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
    fact('descriptors', used(limits.descriptorsUsedMax, limits.descriptorsMax)),
    fact('ports', used(limits.portsUsedMax, limits.portsMax)),
  ]}</dl>
${table('Phases', ['phase', 'measured', 'from s', 'to s', 'planned'], rows)}</section>`;
}
