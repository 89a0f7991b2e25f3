import { distance } from 'fastest-levenshtein';

/** Up to `most` words that were probably meant, the nearest first; of those as near as each other in the order of `known`. */
export function nearestWords(word: string, known: readonly string[], most: number): readonly string[] {
  if (word === '') return [];
  const wanted = word.toLowerCase();
  return known
    .map((candidate) => ({ candidate, edits: distance(wanted, candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.max(2, Math.floor(Math.max(word.length, candidate.length) / 2)))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

/** The word that was probably meant, or `undefined` where none is near enough to be worth offering. */
export const nearestWord = (word: string, known: readonly string[]): string | undefined => nearestWords(word, known, 1)[0];

/** `; did you mean "spike"?`, or what there is where nothing is near. */
export function offer(word: string, known: readonly string[]): string {
  const nearest = nearestWord(word, known);
  if (nearest !== undefined) return `; did you mean "${nearest}"?`;
  return known.length === 0 ? '' : `; there is ${known.join(', ')}`;
}
