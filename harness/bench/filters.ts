/** What the pipeline's filters cost, in a process of their own: all twelve over a device's state as it is stored, one event a step. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median } from '#harness/metrics/growth.ts';
import { atLeast, atMost, type Bench, round } from './bench.ts';

const entry = fileURLToPath(new URL('../../system/pipeline/cost.ts', import.meta.url));
type Cost = { readonly filters: number; readonly parsing: number; readonly steps: number };
type Printed = { readonly kept: number; readonly measured: readonly Cost[] };

export const filtersBench: Bench = {
  name: 'filters',
  about: 'CPU of all filters an event, from the device’s stored state to its next one, beside parsing and the whole step',
  runs: 3,
  seconds: 3,
  run: async ({ runs, seconds, say, signal }) => {
    const costs: Cost[] = [];
    const kept: number[] = [];
    for (let run = 0; run < runs && !signal.aborted; run++) {
      const { stdout } = await promisify(execFile)(process.execPath, [entry, String(Math.ceil(seconds))]);
      const printed = JSON.parse(stdout) as Printed;
      costs.push(...printed.measured);
      kept.push(printed.kept);
      say(`round ${run + 1}: ${printed.measured.map(({ filters }) => filters.toFixed(2)).join(', ')} µs an event`);
    }
    const of = (name: keyof Cost): number => median(costs.map((cost) => cost[name]));
    return {
      name: 'filters',
      figures: { filters_us_an_event: round(of('filters')), parsing_us_an_event: round(of('parsing')), step_us_an_event: round(of('steps')) },
      bars: [atMost('filters, µs an event', of('filters'), 3), atLeast('kept, so that every filter was asked', median(kept), 1)],
    };
  },
};
