/** What a query asks for, by the parser of the Prometheus project: the tests trust it, and not our own way of writing queries. */
import { parser } from '@prometheus-io/lezer-promql';

export type Selection = { readonly metric: string; readonly labels: readonly string[] };

type Node = ReturnType<typeof parser.parse>['topNode'];

/** A query of a panel as Grafana sends it: everything chosen, and a window that fits the scrape interval. */
export const filled = (query: string, window: string): string =>
  query.replaceAll('$__rate_interval', window).replaceAll('$job', 'headroom').replaceAll('$instance', '.+').replaceAll('$worker', '.+');

/** Throws where there is something that the parser cannot read: nothing is held of a query that was half understood. */
export function selectionsOf(query: string): readonly Selection[] {
  return nodesOf(query, 'VectorSelector').map((node) => {
    const metric = node.getChild('Identifier');
    if (metric === null) throw new Error(`a selector without a metric: ${query}`);
    return { metric: textOf(query, metric), labels: namesIn(query, node) };
  });
}

/** Labels that a query groups or matches series by. */
export const groupingsOf = (query: string): readonly string[] => nodesOf(query, 'GroupingLabels').flatMap((node) => namesIn(query, node));

const textOf = (query: string, { from, to }: Node): string => query.slice(from, to);
const namesIn = (query: string, node: Node): readonly string[] => within(query, node, 'LabelName').map((name) => textOf(query, name));
const nodesOf = (query: string, name: string): readonly Node[] => within(query, parser.parse(query).topNode, name);

function within(query: string, top: Node, name: string): readonly Node[] {
  const found: Node[] = [];
  top.cursor().iterate(({ type, node }) => {
    if (type.isError) throw new Error(`no PromQL: ${query}`);
    if (type.name === name) found.push(node);
  });
  return found;
}
