/** Which rules somebody means. */
import { nearestWords } from '#harness/gates/nearest.ts';
import type { Rule } from './rule.ts';

const offeredMax = 3;

/** All without names. A sentence where a name is not one of theirs. */
export function chooseRules(names: readonly string[], rules: readonly Rule[]): readonly Rule[] | string {
  const wanted = names.map((name) => name.toUpperCase());
  const unknown = wanted.filter((name) => !rules.some(({ id }) => id === name));
  if (unknown.length > 0) return `${unknown.map((name) => missing(name, rules)).join('; ')}; --list says which there are`;
  return wanted.length === 0 ? rules : rules.filter(({ id }) => wanted.includes(id));
}

function missing(name: string, rules: readonly Rule[]): string {
  const awayBy = ({ id }: Rule): number => Math.abs(numberOf(id) - numberOf(name)) || 0;
  const known = rules.toSorted((a, b) => awayBy(a) - awayBy(b)).map(({ id }) => id.toLowerCase());
  const near = nearestWords(name, known, offeredMax).map((id) => id.toUpperCase());
  return `there is no rule ${name} here${near.length === 0 ? '' : `, but ${near.join(', ')}`}`;
}

const numberOf = (id: string): number => Number(id.replace(/\D/g, ''));
