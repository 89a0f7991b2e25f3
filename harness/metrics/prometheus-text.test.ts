import { expect, test } from 'vitest';
import { parsePrometheusText, sumOf } from './prometheus-text.ts';

const text = [
  '# HELP a help',
  '# TYPE a counter',
  'a{lane="ingest",outcome="good"} 12',
  'a{lane="read",note="a } brace"} 3 1700000000000',
  'b +Inf',
  'c_bucket{le="0.5"} 1.5e3',
  '',
].join('\n');

test('samples are kept with their labels', () => {
  expect(parsePrometheusText(text)).toEqual({
    'a{lane="ingest",outcome="good"}': 12,
    'a{lane="read",note="a } brace"}': 3,
    b: Number.POSITIVE_INFINITY,
    'c_bucket{le="0.5"}': 1500,
  });
});

test('a family is summed over its labels, and only that family', () => {
  const values = parsePrometheusText(`${text}ab{x="1"} 100\n`);
  expect(sumOf(values, 'a')).toBe(15);
  expect(sumOf(values, 'nothing')).toBeUndefined();
});

test('what is not a sample is an error, not a silence', () => {
  expect(() => parsePrometheusText('<html>')).toThrow('not a Prometheus sample');
});
