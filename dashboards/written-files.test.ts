import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { metricNames } from '#system/protocol/metric-names.ts';
import { filled, selectionsOf } from './read-promql.ts';
import { boards, writtenFiles } from './written-files.ts';

const here = import.meta.dirname;
const read = (path: string): string => readFileSync(join(here, path), 'utf8');
const provisioned = (path: string): unknown => parse(read(`grafana/provisioning/${path}`));

test.each([...writtenFiles()])('%s is what the code makes', (path, text) => {
  expect(read(path), 'run: npm run dashboards').toBe(text);
});

test('every metric of the protocol is drawn', () => {
  const queries = boards.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels.flatMap((panel) => panel.queries.map(({ expr }) => expr))));
  const drawn = new Set(queries.flatMap((query) => selectionsOf(filled(query, '1m'))).map(({ metric }) => metric.replace(/_(bucket|count)$/, '')));
  expect(Object.values(metricNames).filter((name) => !drawn.has(name))).toEqual([]);
});

test('a panel says what to do, and titles that texts refer to are unique', () => {
  const panels = boards.flatMap(({ rows }) => rows.flatMap((row) => row.panels));
  expect(panels.filter(({ description }) => description.length < 40).map(({ title }) => title)).toEqual([]);
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  expect(new Set(boards.map(({ uid }) => uid)).size).toBe(boards.length);
});

test('what Grafana and Prometheus are pointed at is there', () => {
  const { providers } = provisioned('dashboards/headroom.yaml') as { providers: { options: { path: string } }[] };
  const folders = providers.map(({ options }) => options.path.replace('$HEADROOM_DASHBOARDS', here));
  expect(folders).toEqual([join(here, 'grafana/dashboards')]);
  for (const { uid } of boards) expect(existsSync(join(folders[0] as string, `${uid}.json`))).toBe(true);
  const { rule_files } = parse(read('prometheus/prometheus.yml')) as { rule_files: string[] };
  expect(rule_files.map((file) => existsSync(join(here, 'prometheus', file)))).toEqual([true]);
});

test('Grafana makes windows of rates from the interval at which Prometheus scrapes', () => {
  const { datasources } = provisioned('datasources/headroom.yaml') as { datasources: { type: string; jsonData: { timeInterval: string } }[] };
  const { global } = parse(read('prometheus/prometheus.yml')) as { global: { scrape_interval: string } };
  expect(datasources.map(({ type, jsonData }) => [type, jsonData.timeInterval])).toEqual([['prometheus', global.scrape_interval]]);
});
