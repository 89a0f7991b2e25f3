/** Pieces that sections are made of. */
import { type Html, html } from './html.ts';
import { count } from './numbers.ts';

export type Tile = (name: string, value: string, tone?: string) => Html;
export const tile: Tile = (name, value, tone = '') => html`<div class="tile ${tone}"><dt>${name}</dt><dd>${value}</dd></div>`;
/** The tone of a count that has to be 0; null: not known. */
export const badWhereAny = (value: number | null): string => (value === null ? 'is-unknown' : value > 0 ? 'is-bad' : '');

export const cellsRow = (first: string, cells: readonly string[]): Html =>
  html`<tr><th scope="row">${first}</th>${cells.map((cell) => html`<td class="number">${cell}</td>`)}</tr>`;

export function table(label: string, head: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead><tr>${head.map((one, index) => html`<th scope="col"${index === 0 ? undefined : html` class="number"`}>${one}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

type Reasoned = { readonly place: string; readonly reasons: Readonly<Record<string, number>> };
type ReasonsWords = { readonly id: string; readonly title: string; readonly head: readonly [string, string] };

/** A section of its own, the most frequent first; nothing where there is no reason. */
export function reasonsTable(cells: readonly Reasoned[], { id, title, head }: ReasonsWords): Html | undefined {
  const counts = new Map<string, number>();
  for (const { place, reasons } of cells) {
    for (const [reason, times] of Object.entries(reasons)) counts.set(`${place} · ${reason}`, (counts.get(`${place} · ${reason}`) ?? 0) + times);
  }
  if (counts.size === 0) return undefined;
  const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, times]) => cellsRow(reason, [count(times)]));
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${table(`By ${head[0]}`, head, rows)}</section>`;
}

type Example = { readonly kind: string; readonly text: string };
/** What a ledger found, a few of each kind. */
export const examplesPart = (examples: readonly Example[]): Html | undefined =>
  examples.length === 0
    ? undefined
    : html`<details><summary>Examples</summary><ul class="plain">${examples.map(({ kind, text }) => html`<li>${kind} <code>${text}</code></li>`)}</ul></details>`;
