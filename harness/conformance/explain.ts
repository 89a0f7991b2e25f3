/** Says what a rule proves, how, and how to see for oneself that it can break. */
import { howToGet, type Rule } from './rule.ts';
import type { Twin } from './twins.ts';

const columns = 100;
const margin = '    ';

export function explain(rule: Rule, twins: readonly Twin[]): string {
  const { id, title, proves, how, needs, redBy } = rule;
  const needed = needs.length === 0 ? ['nothing but a service and an account'] : needs.map((need) => `${need} (${howToGet[need]})`);
  const seenRed = redBy.flatMap((name) => {
    const about = twins.find((twin) => twin.name === name)?.about;
    return [...wrapped(`${name}${about === undefined ? '' : `, a service that ${about}`}`), `${margin}npm run conformance -- ${id} --twin ${name}`];
  });
  const parts = [
    wrapped(`${id}  ${title}`, ''),
    ['  it proves', ...wrapped(proves.join(' '))],
    ['  it asks', ...wrapped(how.join(' '))],
    ['  it needs', ...needed.flatMap((need) => wrapped(need))],
    ['  it was seen red against', ...seenRed],
  ];
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function wrapped(text: string, indent = margin): readonly string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length >= columns && line.trim() !== '') {
      lines.push(line);
      line = indent;
    }
    line += line.trim() === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}
