import { expect, test } from 'vitest';
import { filled, groupingsOf, selectionsOf } from './read-promql.ts';

test('selectors with their labels, and groupings, of a query as Grafana sends it', () => {
  const query = filled('sum by (lane) (rate(a_total{job="$job",lane=~"x|y"}[$__rate_interval])) / on (job) b', '5s');
  expect(query).toContain('a_total{job="headroom",lane=~"x|y"}[5s]');
  expect(selectionsOf(query)).toEqual([
    { metric: 'a_total', labels: ['job', 'lane'] },
    { metric: 'b', labels: [] },
  ]);
  expect(groupingsOf(query)).toEqual(['lane', 'job']);
});

test('what cannot be read is an error', () => {
  expect(() => selectionsOf('sum by (lane) (rate(a_total[$unknown]))')).toThrow(/no PromQL/);
  expect(() => selectionsOf('{job="headroom"}')).toThrow(/without a metric/);
});
