/** What `npm run dashboards` writes: the code says it, Grafana and Prometheus read it, and a test holds that they are the same. */
import { grafanaJson } from './board.ts';
import { outwardBoard } from './outward-board.ts';
import { rulesText } from './rules-file.ts';
import { serviceBoard } from './service-board.ts';

export const boards = [serviceBoard, outwardBoard] as const;

/** By path from this folder. */
export const writtenFiles = (): ReadonlyMap<string, string> =>
  new Map([
    ...boards.map((board): [string, string] => [`grafana/dashboards/${board.uid}.json`, grafanaJson(board)]),
    ['prometheus/headroom-rules.yml', `# Written by npm run dashboards; change the code beside it.\n${rulesText()}`],
  ]);
