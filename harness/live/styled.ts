/** Lines made of parts, so that a line is cut at what is seen of it and not in the middle of an escape code. */
import colours from 'picocolors';
import { printable } from '#harness/report/printable.ts';

export type Paint = Pick<ReturnType<typeof colours.createColors>, 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'inverse'>;
export type Style = keyof Paint;
export type Part = string | { readonly text: string; readonly style: Style };
export type Line = readonly Part[];

export const paintOf = (coloured: boolean): Paint => colours.createColors(coloured);
export const styled = (style: Style, text: string): Part => ({ text, style });
/** A part may hold what a service said, so none of it is left to steer the terminal. */
const textOf = (part: Part): string => printable(typeof part === 'string' ? part : part.text);
export const widthOf = (line: Line): number => line.reduce((sum, part) => sum + [...textOf(part)].length, 0);

/** At most `columns` wide; what does not fit ends in an ellipsis. Every character used here is one column wide. */
export function cut(line: Line, columns: number): Line {
  if (widthOf(line) <= columns) return line;
  const kept: Part[] = [];
  let left = Math.max(0, columns - 1);
  for (const part of line) {
    const characters = [...textOf(part)].slice(0, left).join('');
    left -= [...characters].length;
    kept.push(typeof part === 'string' ? characters : { ...part, text: characters });
    if (left === 0) break;
  }
  return [...kept, '…'];
}

export const written = (line: Line, paint: Paint): string =>
  line.map((part) => (typeof part === 'string' || part.text === '' ? textOf(part) : paint[part.style](textOf(part)))).join('');

export const titled = (title: string, ...parts: readonly Part[]): Line => [styled('dim', title.padEnd(10)), ...parts];
