import { closest, distance } from 'fastest-levenshtein';

/** The word that was probably meant, or `undefined` where none is near enough to be worth offering. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0 || word === '') return undefined;
  const candidate = closest(word.toLowerCase(), known);
  const editsMax = Math.max(2, Math.floor(Math.max(word.length, candidate.length) / 2));
  return distance(word.toLowerCase(), candidate) <= editsMax ? candidate : undefined;
}

/** `; did you mean "spike"?`, or what there is where nothing is near. */
export function offer(word: string, known: readonly string[]): string {
  const nearest = nearestWord(word, known);
  if (nearest !== undefined) return `; did you mean "${nearest}"?`;
  return known.length === 0 ? '' : `; there is ${known.join(', ')}`;
}
