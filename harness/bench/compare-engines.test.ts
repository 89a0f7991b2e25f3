import { expect, test } from 'vitest';
import { histogramOfMs } from '#harness/gates/example-run.ts';
import { comparison, type Timed } from './compare-engines.ts';

const timed = (serviceMs: number, probeMs: number): Timed => ({
  verdict: { verdict: 'pass', reasons: [] },
  service: histogramOfMs([[serviceMs, 5000]]),
  probe: histogramOfMs([[probeMs, 200]]),
});

test('runs whose intervals meet say so', () => {
  expect(comparison({ native: [timed(2, 2)], k6: [timed(2, 2)] }, 0.5)).toBe('within their intervals');
});

test('where they do not, the probes tell what of it is the service', () => {
  const text = comparison({ native: [timed(1, 1), timed(2, 2), timed(2, 2)], k6: [timed(4, 3), timed(2, 3), timed(4, 3)] }, 0.5);
  expect(text).toMatch(/^apart in 2 of 3: native 2\.?\d* ms where the probe saw 2\.?\d*, k6 (3\.9\d*|4\.?\d*) ms where the probe saw (2\.9\d*|3\.?\d*);/);
});

test('a probe without samples explains nothing, and says so', () => {
  const blind = { ...timed(4, 3), probe: histogramOfMs([]) };
  expect(comparison({ native: [timed(1, 1)], k6: [blind] }, 0.5)).toContain('the probe saw too little');
});

test('a run that is no measurement is not compared, and its reasons are named', () => {
  const invalid: Timed = { ...timed(2, 2), verdict: { verdict: 'invalid', reasons: [{ code: 'iterations-late', text: 'late' }] } };
  expect(comparison({ native: [timed(2, 2), timed(2, 2)], k6: [timed(2, 2), invalid] }, 0.5)).toBe(
    'not comparable: 1 of 2 runs of k6 did not pass as a measurement (iterations-late)',
  );
});
