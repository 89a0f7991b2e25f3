/** What the scenario verb does, with its surroundings as arguments, so that a test can stand in for the run. Resolves to exit codes. */
import { k6Trouble } from '#harness/engine/k6/k6-trouble.ts';
import type { WireChoice } from '#harness/engine/native/wire/wire.ts';
import type { Fitted } from '#harness/fit/find-fit.ts';
import { fitTrouble } from '#harness/fit/fit-trouble.ts';
import { fitAside, titleOf } from '#harness/gates/fit-words.ts';
import { isTold, judgeRepeats, judgeUntilTold, type RepeatedVerdict } from '#harness/gates/repeats.ts';
import type { Verdict } from '#harness/run-result.ts';
import { scenarioJsonSchema } from '#harness/scenario-json-schema.ts';
import { loadScenario, scenarioNames } from '#harness/scenario-load.ts';
import { applyOverrides } from '#harness/scenario-overrides.ts';
import { formatScenarioErrors, type ParsedScenario, parseScenario } from '#harness/scenario-parse.ts';
import { readUrl, type UrlOptions } from '#harness/url/read-url.ts';
import { urlOperation } from '#harness/url/url-operations.ts';
import type { UrlRequest } from '#harness/url/url-request.ts';
import { exitCodes } from './exit-codes.ts';
import type { EngineName, ExportWay, RunOptions } from './run-options.ts';
import type { Say } from './verbs.ts';

export type ScenarioArguments = UrlOptions & {
  readonly name?: string | undefined;
  /** Of `export`. */
  readonly exported?: string | undefined;
  readonly to?: ExportWay | undefined;
  readonly parallelism?: number | undefined;
  readonly target?: string | undefined;
  readonly credentials?: string | undefined;
  readonly ca?: string | undefined;
  readonly seed: number;
  readonly set: readonly string[];
  readonly fullTime?: boolean | undefined;
  readonly repeat: number;
  /** At most so many runs, until one can be trusted. */
  readonly repeatUntilTold?: number | undefined;
  readonly fit?: boolean | undefined;
  readonly fitCheck?: boolean | undefined;
  readonly out?: string | undefined;
  readonly quiet: boolean;
  readonly json: boolean;
  readonly wire?: WireChoice | undefined;
  readonly engine?: EngineName | undefined;
};

export type Surroundings = {
  readonly say: Say;
  readonly runScenario: (options: RunOptions) => Promise<Verdict>;
  readonly findFit: (options: RunOptions) => Promise<Fitted>;
  readonly operationNames: () => Promise<readonly string[]>;
};

export async function runScenarios(args: ScenarioArguments, around: Surroundings): Promise<number> {
  if (args.name === 'list') return listScenarios(around.say);
  if (args.name === 'schema') return writeSchema(around.say);
  if (args.name === undefined && args.url === undefined) {
    around.say.err(`which scenario? There is ${scenarioNames().join(', ')}; npm run scenario -- --help says more, and --url loads any service\n`);
    return exitCodes.usage;
  }
  const checked = args.url === undefined ? await readScenario(args.name ?? '', args, around) : readUrlScenario({ ...args, url: args.url });
  if (typeof checked === 'string') {
    around.say.err(`${checked}\n`);
    return exitCodes.usage;
  }
  const trouble = (args.engine === 'k6' ? k6Trouble(checked.scenario) : undefined) ?? (args.fit === true ? fitTroubleOf(args, checked) : undefined);
  if (trouble !== undefined) {
    around.say.err(`${trouble}\n`);
    return exitCodes.usage;
  }
  const options = args.fit === true ? await fitted(optionsOf(args, checked), around) : optionsOf(args, checked);
  if (options === undefined) return exitCodes.invalid;
  const { repeat, repeatUntilTold } = args;
  if (repeatUntilTold !== undefined) return runRepeatedly(args, options, around, { runsMax: repeatUntilTold, endsWhenTold: true });
  return repeat === 1 ? runOnce(args, options, around) : runRepeatedly(args, options, around, { runsMax: repeat, endsWhenTold: false });
}

const fitTroubleOf = ({ engine = 'native', target }: ScenarioArguments, { scenario }: RightScenario): string | undefined =>
  fitTrouble({ scenario, engine, owned: target === undefined });

/** One factor for all runs of a command: runs at different rates could not be judged together. undefined: no rate holds, which has been said. */
async function fitted(options: RunOptions, { say, findFit }: Surroundings): Promise<RunOptions | undefined> {
  const found = await findFit(options);
  if (found.kind === 'fits') return { ...options, scenario: found.scenario, fit: found.fit };
  if (options.quiet) say.err(`${found.text}\n`);
  return undefined;
}

type RightScenario = Extract<ParsedScenario, { kind: 'ok' }> & { readonly request?: UrlRequest };

/** The scenario that a URL stands for, checked as one of a file is, or what is wrong as text. */
function readUrlScenario(args: ScenarioArguments & { readonly url: string }): RightScenario | string {
  const read = readUrl(args, process.env);
  if (read.kind === 'error') return read.message;
  const changed = applyOverrides(read.value, args.set);
  if (changed.kind === 'errors') return changed.errors.map((error) => `--set ${error.path}: ${error.message}`).join('\n');
  const parsed = parseScenario(changed.value, { source: '--url', operations: [urlOperation] });
  return parsed.kind === 'ok' ? { ...parsed, request: read.request } : formatScenarioErrors(parsed);
}

type Changes = Pick<ScenarioArguments, 'set' | 'fullTime'>;

/** The checked scenario, or what is wrong as text. */
export async function readScenario(name: string, { set, fullTime }: Changes, { operationNames }: Surroundings): Promise<RightScenario | string> {
  const loaded = await loadScenario(name);
  if (loaded.kind === 'error') return loaded.message;
  const changed = applyOverrides(loaded.value, fullTime === true ? [...set, 'clock.scale=1'] : set);
  if (changed.kind === 'errors') return changed.errors.map((error) => `--set ${error.path}: ${error.message}`).join('\n');
  const parsed = parseScenario(changed.value, { source: loaded.source, operations: await operationNames() });
  return parsed.kind === 'ok' ? parsed : formatScenarioErrors(parsed);
}

function writeSchema(say: Say): number {
  say.out(`${JSON.stringify(scenarioJsonSchema, undefined, 2)}\n`);
  return exitCodes.pass;
}

async function listScenarios(say: Say): Promise<number> {
  const nameWidth = Math.max(...scenarioNames().map(({ length }) => length)) + 2;
  for (const name of scenarioNames()) {
    const loaded = await loadScenario(name);
    const description = loaded.kind === 'ok' ? (loaded.value as { readonly description?: string }).description : loaded.message;
    say.out(`${name.padEnd(nameWidth)}${description ?? ''}\n`);
  }
  return 0;
}

/** What says which plan it is, as it was typed: a sentence that says what to type next must not lead to another plan. */
function typedAgain({ name = '', set, fullTime, target, credentials }: ScenarioArguments): string {
  const options = [
    ...set.map((one) => ['--set', one]),
    ...(fullTime === true ? [['--full-time']] : []),
    ...(target === undefined ? [] : [['--target', target]]),
    ...(credentials === undefined ? [] : [['--credentials', credentials]]),
  ];
  return [name, ...options.flat()].map(quoted).join(' ');
}

const quoted = (word: string): string => (/^[\w./:=,@%+-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function optionsOf(args: ScenarioArguments, { scenario, thresholds, request }: RightScenario): RunOptions {
  const { target, credentials, seed, out, quiet, json, wire } = args;
  return {
    scenario,
    thresholds,
    seed,
    quiet,
    json,
    wire: wire ?? 'auto',
    typed: typedAgain(args),
    ...(args.fitCheck === undefined ? {} : { fitCheck: args.fitCheck }),
    ...(args.engine === undefined ? {} : { engine: args.engine }),
    ...(target === undefined || credentials === undefined ? {} : { target: { url: target, credentialsFile: credentials } }),
    ...(out === undefined ? {} : { out }),
    ...(request === undefined ? {} : { request }),
  };
}

async function runOnce(args: ScenarioArguments, options: RunOptions, { say, runScenario }: Surroundings): Promise<number> {
  const verdict = await runScenario(options);
  if (args.json) say.out(`${JSON.stringify(verdict)}\n`);
  return verdict.exitCode;
}

/** Each run has arrivals of its own: the same ones N times would say nothing about other ones. */
async function runRepeatedly(
  args: ScenarioArguments,
  options: RunOptions,
  { say, runScenario }: Surroundings,
  { runsMax, endsWhenTold }: { readonly runsMax: number; readonly endsWhenTold: boolean },
): Promise<number> {
  const verdicts: Verdict[] = [];
  for (let repeatIndex = 0; repeatIndex < runsMax; repeatIndex++) {
    say.err(`run ${repeatIndex + 1} of ${endsWhenTold ? 'at most ' : ''}${runsMax}\n`);
    const verdict = await runScenario({ ...options, seed: (args.seed + repeatIndex) % 2 ** 32, repeatIndex });
    verdicts.push(verdict);
    if (verdict.verdict === 'interrupted' || (endsWhenTold && isTold(verdict))) break;
  }
  const repeated = endsWhenTold ? judgeUntilTold(verdicts) : judgeRepeats(verdicts);
  say.err(`${repeatedText(repeated)}\n`);
  if (args.json) say.out(`${JSON.stringify(repeated)}\n`);
  return repeated.exitCode;
}

function repeatedText({ scenario, verdict, reasons, thresholds, runs }: RepeatedVerdict): string {
  const fit = runs[0]?.fit;
  const lines = thresholds.map(({ metric, selector, expression, observed, yes }) => {
    const selectors = Object.entries(selector).map(([key, value]) => `${key}:${value}`);
    const name = selectors.length === 0 ? metric : `${metric}{${selectors.join(',')}}`;
    return `  ${name} ${expression}: held in ${yes} of ${runs.length} (${observed.map((one) => one ?? '–').join(', ')})`;
  });
  return [`${titleOf(scenario, fit)}, ${runs.length} runs: ${verdict}${fitAside(fit)}`, ...reasons.map((reason) => `  ${reason.text}`), ...lines].join('\n');
}
