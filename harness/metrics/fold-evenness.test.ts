import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '#harness/pacing/random.ts';
import { foldEvenness } from './fold-evenness.ts';

const counts = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 100, maxLength: 100 });
const second = (bins: readonly number[], at = 0) => ({ phase: 0, second: at, plannedBins: bins, firedBins: bins });

/** The definition, on all bins at once. */
function dispersion(bins: readonly number[]): number {
  const mean = bins.reduce((a, b) => a + b, 0) / bins.length;
  return mean === 0 ? 0 : bins.reduce((sum, bin) => sum + (bin - mean) ** 2, 0) / bins.length / mean;
}

describe('foldEvenness', () => {
  it("is the variance over the mean of the workers' sums, in any order", () => {
    fc.assert(
      fc.property(counts, counts, counts, (a, b, later) => {
        const parts = [second(a), second(b), second(later, 1)];
        const sum = [...a.map((count, i) => count + b[i]!), ...later];
        const folded = foldEvenness(parts, ['load']);
        expect(folded[0]).toMatchObject({ phase: 'load', binMs: 0.2 });
        expect(folded[0]!.fired).toBeCloseTo(dispersion(sum), 9);
        expect(foldEvenness([...parts].reverse(), ['load'])).toEqual(folded);
      }),
    );
  });

  it('is 0 for an even plan, near 1 for a random one, and large for bursts', () => {
    const even = new Array<number>(5000).fill(2);
    expect(foldEvenness([second(even)], ['load']).map(({ fired }) => fired)).toEqual([0, 0, 0]);
    const random = createRandom(1, 0);
    const poisson = new Array<number>(5000).fill(0);
    for (let i = 0; i < 10_000; i++) poisson[Math.floor(random() * 5000)]! += 1;
    for (const { fired, binMs } of foldEvenness([second(poisson)], ['load'])) expect(Math.abs(fired - 1)).toBeLessThan(binMs === 10 ? 0.6 : 0.2);
    // All of a millisecond's arrivals in its first fifth.
    const bursts = even.map((_, i) => (i % 5 === 0 ? 10 : 0));
    const [fine, millisecond] = foldEvenness([second(bursts)], ['load']);
    expect([fine!.fired, millisecond!.fired]).toEqual([8, 0]);
  });
});
