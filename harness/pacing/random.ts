// Chance as arithmetic: a seeded generator for sequences, and hashes where a number must follow from its arrival alone.

/** murmur3's finaliser: every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 32 bits from three numbers; numbers above 2^32 count with their high part too. */
export function hash32(first: number, second: number, third = 0): number {
  let h = mix(0x9e3779b9 ^ (first | 0));
  h = mix(h ^ Math.imul(Math.floor(first / 0x1_0000_0000), 0x27d4eb2f));
  h = mix((h + 0x9e3779b9) ^ (second | 0));
  h = mix(h ^ Math.imul(Math.floor(second / 0x1_0000_0000), 0x165667b1));
  return mix((h + 0x9e3779b9) ^ (third | 0));
}

/** In [0, 1), from seed, arrival and what it is for. */
export const chanceOf = (seed: number, arrival: number, purpose: number): number => hash32(seed, arrival, purpose) / 0x1_0000_0000;

/** What a chance is for: two uses of one arrival must not be correlated. */
export const purposes = { payload: 1, chain: 2, /** And the step's place. */ think: 16 } as const;

/**
 * sfc32 (Doty-Humphrey, PractRand): 128 bits of state, passes PractRand and BigCrush. Numbers lie in the open interval (0, 1),
 * in steps of 2^-53, so their logarithm is finite.
 */
export function createRandom(seed: number, stream: number): () => number {
  let a = hash32(seed, stream, 0xa);
  let b = hash32(seed, stream, 0xb);
  let c = hash32(seed, stream, 0xc);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // The author's advice: the first dozen outputs still show the seed.
  for (let i = 0; i < 15; i++) next();
  return () => ((next() >>> 5) * 0x400_0000 + (next() >>> 6) + 0.5) / 0x20_0000_0000_0000;
}
