/** A board as plain data, and its way through Grafana's own SDK, which knows the fields of its JSON and lays the panels out. */
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { metricNames } from '#system/protocol/metric-names.ts';
import { type Panel, panelBuilder, source } from './panel.ts';
import { jobName } from './promql.ts';

export type Row = { readonly title: string; readonly panels: readonly Panel[] };
export type Board = { readonly uid: string; readonly title: string; readonly description: string; readonly rows: readonly Row[] };

const tag = 'headroom';
/** Of a minute's two scrapes at least; a page that many have open asks Prometheus no more often than there is news. */
const refresh = '30s';

export function grafanaJson(board: Board): string {
  const built = board.rows.reduce(addRow, emptyBoard(board)).build();
  // The SDK leaves ids to Grafana, which would give them anew: a link to one panel has to stay good.
  const panels = built.panels?.map((panel, i) => ({ ...panel, id: i + 1 }));
  return `${JSON.stringify({ ...built, panels }, null, 2)}\n`;
}

function emptyBoard({ uid, title, description }: Board): DashboardBuilder {
  const others = new DashboardLinkBuilder('Headroom').type(DashboardLinkType.Dashboards).tags([tag]).includeVars(true).keepTime(true);
  const board = new DashboardBuilder(title).uid(uid).description(description).tags([tag]).readonly().refresh(refresh).time({ from: 'now-3h', to: 'now' });
  return board.tooltip(DashboardCursorSync.Crosshair).link(others).variables(variables());
}

function addRow(board: DashboardBuilder, { title, panels }: Row): DashboardBuilder {
  return panels.reduce((all, panel) => all.withPanel(panelBuilder(panel)), board.withRow(new RowBuilder(title)));
}

/** `worker` without those that ended: their gauges are gone, and their CPU does not change any more. */
function variables() {
  return [
    new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    valuesOf('job', metricNames.workerResidentBytes).label('Service').current({ text: jobName, value: jobName }),
    everyValueOf('instance', `${metricNames.workerResidentBytes}{job="$job"}`).label('Instance'),
    everyValueOf('worker', `${metricNames.workerResidentBytes}{job="$job",instance=~"$instance"}`).label('Worker'),
  ];
}

const valuesOf = (label: string, selector: string): QueryVariableBuilder =>
  new QueryVariableBuilder(label)
    .datasource(source)
    .query({ query: `label_values(${selector}, ${label})`, refId: label })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);

const everyValueOf = (label: string, selector: string): QueryVariableBuilder =>
  valuesOf(label, selector).multi(true).includeAll(true).allValue('.+').current({ text: 'All', value: '$__all' });
