/** `npm run bench -- NAME`: one bench, its figures and its bars. */
import Table from 'cli-table3';
import { closest } from 'fastest-levenshtein';
import type { Argv, CommandModule } from 'yargs';
import type { Bench, BenchResult } from './bench.ts';

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  ingest: async () => (await import('./ingest.ts')).ingestBench,
  engines: async () => (await import('./engines.ts')).enginesBench,
  generator: async () => (await import('./generator.ts')).generatorBench,
  truth: async () => (await import('./truth.ts')).truthBench,
  telemetry: async () => (await import('./telemetry.ts')).telemetryBench,
  filters: async () => (await import('./filters.ts')).filtersBench,
  fanout: async () => (await import('./fanout.ts')).fanoutBench,
  held: async () => (await import('./held.ts')).heldBench,
  refusal: async () => (await import('./refusal.ts')).refusalBench,
  memory: async () => (await import('./memory.ts')).memoryBench,
  'noisy-verdicts': async () => (await import('./noisy-verdicts.ts')).noisyVerdictsBench,
  overload: async () => (await import('./overload.ts')).overloadBench,
  impatient: async () => (await import('./impatient.ts')).impatientBench,
  soak: async () => (await import('./soak.ts')).soakBench,
  'spike-cost': async () => (await import('./spike-cost.ts')).spikeCostBench,
};

export const benchNames: readonly string[] = Object.keys(benches);

type BenchArguments = {
  name?: string | undefined;
  json: boolean;
  runs?: number | undefined;
  seconds?: number | undefined;
  base?: string | undefined;
  rate?: number | undefined;
};

export const benchCommand: CommandModule<object, BenchArguments> = {
  command: 'bench [name]',
  describe: 'measure one of the claims, beside its peers',
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', describe: `one of ${benchNames.join(', ')}; without it they are listed` })
      .option('runs', { type: 'number', describe: 'rounds; figures are medians over them (5, for a long bench 1)' })
      .option('seconds', { type: 'number', describe: 'length of one measurement' })
      .option('base', { type: 'string', describe: 'of spike-cost: the revision to compare with' })
      .option('rate', { type: 'number', describe: 'of spike-cost: requests a second, for a machine that does not hold 10,000' })
      .option('json', { type: 'boolean', default: false, describe: 'end with one line {name, figures, bars} on stdout' })
      .epilogue('Exit code 0 when every bar holds, 1 when one is missed, 2 for a usage error, 130 when Ctrl-C ended it.') as Argv<BenchArguments>,
  handler: async ({ name, json, runs, seconds, base, rate }) => {
    process.exitCode = await runBench({ name, json, runs, seconds, base, rate });
  },
};

async function runBench({ name, json, runs, seconds, base, rate }: BenchArguments): Promise<number> {
  if (name === undefined) {
    for (const load of Object.values(benches)) {
      const { name: benchName, about } = await load();
      process.stdout.write(`${benchName.padEnd(12)} ${about}\n`);
    }
    return 0;
  }
  const load = benches[name];
  if (load === undefined) {
    process.stderr.write(`there is no bench "${name}"; did you mean "${closest(name, benchNames)}"?\n`);
    return 2;
  }
  const wrong = wrongNumber({ runs, seconds, rate });
  if (wrong !== undefined) {
    process.stderr.write(`${wrong}\n`);
    return 2;
  }
  const bench = await load();
  const stop = new AbortController();
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  process.once('SIGINT', () => {
    say('stopping when what is being measured is over; press Ctrl-C again to end at once');
    stop.abort();
  });
  const result = await bench.run({
    runs: runs ?? bench.runs,
    seconds: seconds ?? bench.seconds,
    say,
    signal: stop.signal,
    base,
    ratePerSecond: rate,
  });
  if (stop.signal.aborted) {
    say('stopped: what was measured until then stands above; figures and bars are those of a whole bench only');
    return 130;
  }
  process.stderr.write(describe(result));
  if (json) process.stdout.write(`${JSON.stringify({ name: result.name, figures: result.figures, bars: result.bars })}\n`);
  return result.bars.every(({ holds }) => holds) ? 0 : 1;
}

type Numbers = Pick<BenchArguments, 'runs' | 'seconds' | 'rate'>;

/** A sentence where a number cannot be; undefined where none was given, or all can. */
function wrongNumber({ runs = 1, seconds = 1, rate = 1 }: Numbers): string | undefined {
  if (!Number.isInteger(runs) || runs < 1 || runs > 100) return '--runs has to be a whole number from 1 to 100';
  if (!(seconds >= 1 && seconds <= 3600)) return '--seconds has to be a number from 1 to 3600';
  if (!(rate >= 1 && rate <= 100_000)) return '--rate has to be a number from 1 to 100000';
  return undefined;
}

const shown = (value: number | string | null | undefined): string => (value === null || value === undefined ? '–' : String(value));

export function describe({ name, figures, bars, tools = [] }: BenchResult): string {
  const rest = new Table({ head: ['figure', 'value'], style: { head: [], border: [] } });
  for (const [figure, value] of Object.entries(figures)) if (!tools.some((tool) => figure.startsWith(`${tool}_`))) rest.push([figure, shown(value)]);
  const judged = new Table({ head: ['bar', 'value', 'limit', 'holds'], style: { head: [], border: [] } });
  for (const bar of bars) judged.push([bar.name, String(Number(bar.value.toPrecision(4))), `${bar.sense} ${bar.limit}`, bar.holds ? 'yes' : 'MISSED']);
  return [`\n${name}`, ...(tools.length === 0 ? [] : [toolTable(figures, tools)]), ...(rest.length === 0 ? [] : [rest.toString()]), judged.toString(), ''].join(
    '\n',
  );
}

/** A tool a row, a figure a column. */
function toolTable(figures: BenchResult['figures'], tools: readonly string[]): string {
  const columns = [
    ...new Set(tools.flatMap((tool) => Object.keys(figures).flatMap((key) => (key.startsWith(`${tool}_`) ? [key.slice(tool.length + 1)] : [])))),
  ];
  const table = new Table({ head: ['', ...columns.map((column) => column.replaceAll('_', ' '))], style: { head: [], border: [] } });
  for (const tool of tools) table.push([tool, ...columns.map((column) => shown(figures[`${tool}_${column}`]))]);
  return table.toString();
}
