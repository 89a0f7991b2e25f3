/** Tables in Markdown. */
type Value = number | string | null | undefined;

/** A count is shown whole: whoever compares planned with acknowledged needs its last digit. */
export const markdownCell = (value: Value): string =>
  value === null || value === undefined ? '–' : typeof value === 'string' ? value : String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
const row = (values: readonly Value[]): string => `| ${values.map((value) => markdownCell(value).replaceAll(/(?<!\\)\|/g, '\\|')).join(' | ')} |`;
export const markdownTable = (head: readonly string[], rows: readonly (readonly Value[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
