/** One offline page: words and tables made here, plots drawn by the page's own script from data that stands in it. */
import { titleOf } from '#harness/gates/fit-words.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { type Html, html, raw, scriptJson, scriptText, styleText } from './html.ts';
import { firstCurve, percentileCurves, whyTheyDiffer } from './percentiles.ts';
import type { TimePlot } from './plot.ts';
import { faultMarks, phaseMarks, type Shade, shadesOf, timePlots } from './plots.ts';
import { generatorSection, latencySection, reasonsSection, runSection, thresholdsSection, verdictSection } from './sections.ts';
import { secondsOf } from './series.ts';
import { streamSections } from './stream-sections.ts';
import { totalsSection } from './totals.ts';
import { webhookSections } from './webhook-sections.ts';

/** Texts of files, given by who may read files: the plot library's, and this room's page/page.js and page/page.css. */
export type PageAssets = { readonly plotScript: string; readonly plotStyle: string; readonly pageScript: string; readonly pageStyle: string };

// The page asks nobody for anything, and could not: everything it has stands in it.
const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

export function indexHtml(result: RunResult, verdict: Verdict, assets: PageAssets): string {
  const shades = shadesOf(result);
  const plots = timePlots(result, verdict);
  const curves = percentileCurves(result);
  const first = firstCurve(result, curves);
  const data = {
    seconds: Array.from({ length: secondsOf(result) }, (_, second) => second),
    phases: phaseMarks(result),
    faults: faultMarks(result),
    shades,
    plots: plots.map(({ about: _about, spoken, ...plot }) => ({ ...plot, spoken })),
    curves,
    firstCurve: first,
  };
  const before = plots.filter(({ id }) => id !== 'cpu' && id !== 'generator' && id !== 'backlog' && id !== 'lag');
  const after = plots.filter((plot) => !before.includes(plot));
  return `<!doctype html>\n${
    html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${verdict.verdict}: ${titleOf(verdict.scenario, verdict.fit)} · Headroom</title>
<style>${styleText(assets.plotStyle)}</style>
<style>${styleText(assets.pageStyle)}</style>
</head>
<body>
<header><p class="brand">Headroom</p><p class="when">${result.run.startedAt.slice(0, 16).replace('T', ' ')} UTC</p><button id="theme" type="button" hidden>Theme: system</button></header>
<main>
${verdictSection(result, verdict)}
${thresholdsSection(verdict)}
${totalsSection(result, verdict)}
<section aria-labelledby="over-time"><h2 id="over-time">Over time</h2>
${shadeLegend(shades, result)}
<noscript><p>The plots need JavaScript; everything in the tables does not.</p></noscript>
<div class="plots">${before.map((plot) => timeFigure(plot))}
${curves.length === 0 ? undefined : percentileFigure(curves, first)}
${after.map((plot) => timeFigure(plot))}</div></section>
${streamSections(result, verdict)}
${webhookSections(result, verdict)}
${latencySection(verdict)}
${reasonsSection(result)}
${generatorSection(result, verdict)}
${runSection(result)}
</main>
<footer>Made from the run’s folder; it can be made again with <code>npm run report -- ${result.run.id}</code></footer>
<script type="application/json" id="run-data">${scriptJson(data)}</script>
<script>${scriptText(assets.plotScript)}</script>
<script type="module">${scriptText(assets.pageScript)}</script>
</body>
</html>`.html
  }\n`;
}

function timeFigure({ id, title, about, unit, wide }: TimePlot): Html {
  return html`<figure class="${wide ? 'wide' : 'half'}" aria-labelledby="plot-${id}"><figcaption><h3 id="plot-${id}">${title} <span class="unit">${unit}</span></h3><p class="about">${about}</p></figcaption><div class="plot" data-plot="${id}"></div></figure>`;
}

function percentileFigure(curves: ReturnType<typeof percentileCurves>, first: number): Html {
  const buttons = curves.map(
    ({ label }, index) => html`<button type="button" data-curve="${index}" aria-pressed="${index === first ? 'true' : 'false'}">${label}</button>`,
  );
  return html`<figure class="wide" aria-labelledby="plot-percentiles"><figcaption><h3 id="plot-percentiles">Percentiles: response and service <span class="unit">ms</span></h3><p class="about">${whyTheyDiffer}</p></figcaption>
<div class="choice" role="group" aria-label="Phase and operation">${buttons}</div><div class="plot" data-plot="percentiles"></div><p class="about" id="curve-note">${curves[first]?.note ?? ''}</p></figure>`;
}

/** Of a generator whose threads tell nothing of themselves (k6) it is not known whether it stood still. */
const untroubled = ({ workers, streams, webhooks }: RunResult): string =>
  [workers, streams?.processes, webhooks?.processes].every((threads) => (threads ?? []).length === 0)
    ? 'No second of this run shows steal by the machine; whether the generator stood still is not known.'
    : 'No second of this run shows trouble of the generator or the machine: no stop of its own, no long garbage collection, no steal, no lag.';

function shadeLegend(shades: readonly Shade[], result: RunResult): Html {
  if (shades.length === 0) return html`<p class="about">${untroubled(result)}</p>`;
  return html`<ul class="shades" aria-label="Shaded seconds">${shades.map(({ kind, label, seconds }) => html`<li><span class="swatch" style="${raw(`background:var(--c-${kind})`)}" aria-hidden="true"></span>${label} <span class="faint">${seconds.length} s</span></li>`)}</ul>`;
}
