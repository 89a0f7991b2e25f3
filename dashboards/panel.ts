/** A panel as plain data → Grafana's. */
import {
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { type Threshold, ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import {
  BytesPerSecondSI,
  BytesSI,
  CountsPerSecond,
  EventsPerSecond,
  PercentUnit,
  RequestsPerSecond,
  Seconds,
  Short,
} from '@grafana/grafana-foundation-sdk/units';

export const units = {
  bytes: BytesSI,
  bytesPerSecond: BytesPerSecondSI,
  count: Short,
  eventsPerSecond: EventsPerSecond,
  perSecond: CountsPerSecond,
  ratio: PercentUnit,
  requestsPerSecond: RequestsPerSecond,
  seconds: Seconds,
} as const;

export type Query = { readonly legend: string; readonly expr: string };

export type Panel = {
  readonly title: string;
  /** What it tells, and what to do about it. */
  readonly description: string;
  readonly unit: keyof typeof units;
  readonly queries: readonly Query[];
  /** `figure` is one number of now; lines otherwise. */
  readonly as?: 'figure' | 'stacked';
  /** Drawn as a line: a promise is broken above it, or below it. */
  readonly brokenAbove?: number;
  readonly brokenBelow?: number;
};

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own placeholder, for the variable of the board
export const source = { type: 'prometheus', uid: '${datasource}' } as const;

/** Of Grafana's 24 columns. */
const sizes = { figure: { columns: 6, rows: 4 }, lines: { columns: 8, rows: 8 } } as const;
/** 99.95 % and 100 % are not the same promise. */
const ratioDecimals = 3;

export function panelBuilder(panel: Panel): StatBuilder | TimeseriesBuilder {
  const { title, description, unit, queries, as } = panel;
  const { columns, rows } = sizes[as === 'figure' ? 'figure' : 'lines'];
  const builder = as === 'figure' ? figure(panel) : lines(panel);
  builder.title(title).description(description).unit(units[unit]).span(columns).height(rows).datasource(source).thresholds(thresholdsOf(panel));
  for (const [i, query] of queries.entries()) builder.withTarget(targetOf(query, i, as === 'figure'));
  return builder;
}

function figure({ unit }: Panel): StatBuilder {
  const builder = new StatBuilder().reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  return unit === 'ratio' ? builder.decimals(ratioDecimals) : builder;
}

/** A gap is a scrape that failed, and is shown as one; a line that begins at zero shows how large its changes are. */
function lines({ as, brokenAbove, brokenBelow }: Panel): TimeseriesBuilder {
  const builder = new TimeseriesBuilder().showPoints(VisibilityMode.Never).axisSoftMin(0).spanNulls(false);
  builder.legend(new VizLegendOptionsBuilder().showLegend(true).displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom));
  builder.tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (as === 'stacked') builder.fillOpacity(30).stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  if ((brokenAbove ?? brokenBelow) === undefined) return builder;
  return builder.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
}

function thresholdsOf({ brokenAbove, brokenBelow }: Panel): ThresholdsConfigBuilder {
  const base = (color: string): Threshold => ({ value: null, color });
  const steps =
    brokenAbove !== undefined
      ? [base('green'), { value: brokenAbove, color: 'red' }]
      : brokenBelow !== undefined
        ? [base('red'), { value: brokenBelow, color: 'green' }]
        : [base('green')];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function targetOf({ expr, legend }: Query, index: number, isFigure: boolean): DataqueryBuilder {
  const target = new DataqueryBuilder()
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .datasource(source)
    .expr(expr)
    .legendFormat(legend);
  return isFigure ? target.instant() : target.range();
}
