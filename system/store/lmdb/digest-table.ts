/**
 * A set of 128-bit digests in one typed array: open addressing, linear probing. Digests are hashes already, so their first word is the slot. A
 * slot of zeros is free: no digest of SHA-256 that anybody will meet is zero.
 */

const wordsPerDigest = 4;

export type DigestTable = {
  readonly slots: number;
  /** The slots as they stand, 16 bytes each: what is written to disk. */
  readonly words: Uint32Array;
  readonly size: () => number;
  readonly has: (a: number, b: number, c: number, d: number) => boolean;
  /** The digest must not be there yet. */
  readonly add: (a: number, b: number, c: number, d: number) => void;
  /** Takes the youngest digest out again: exact in reverse order of adding, and in no other. */
  readonly removeLast: (a: number, b: number, c: number, d: number) => void;
};

/** `slots` is a power of two; the caller keeps the load at a half or below. */
export function createDigestTable(slots: number): DigestTable {
  const words = new Uint32Array(slots * wordsPerDigest);
  const mask = slots - 1;
  let size = 0;

  /** Of the digest, or of the free slot where it would be. */
  const place = (a: number, b: number, c: number, d: number): number => {
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const at = slot * wordsPerDigest;
      if (isAt(words, at, a, b, c, d) || isFree(words, at)) return at;
    }
  };
  const set = (at: number, a: number, b: number, c: number, d: number): void => {
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
  };
  return {
    slots,
    words,
    size: () => size,
    has: (a, b, c, d) => !isFree(words, place(a, b, c, d)),
    add: (a, b, c, d) => {
      set(place(a, b, c, d), a, b, c, d);
      size++;
    },
    removeLast: (a, b, c, d) => {
      set(place(a, b, c, d), 0, 0, 0, 0);
      size--;
    },
  };
}

export const isAt = (words: Uint32Array, at: number, a: number, b: number, c: number, d: number): boolean =>
  words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;

export const isFree = (words: Uint32Array, at: number): boolean =>
  ((words[at] as number) | (words[at + 1] as number) | (words[at + 2] as number) | (words[at + 3] as number)) === 0;

/** Two bytes a slot: 0 where it is free, else a few bits of the digest that its place does not tell. */
export function marksOf(words: Uint32Array): Uint16Array {
  const marks = new Uint16Array(words.length / wordsPerDigest);
  for (let slot = 0; slot < marks.length; slot++) {
    const at = slot * wordsPerDigest;
    if (!isFree(words, at)) marks[slot] = markOf(words[at + 1] as number);
  }
  return marks;
}

export const markOf = (secondWord: number): number => secondWord >>> 16 || 1;
