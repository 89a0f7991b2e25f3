/** `npm run scenario -- NAME`: reads what was asked for, checks it, runs it. Nothing is measured here. */
import type { Argv, CommandModule } from 'yargs';
import { trustAuthority } from '#harness/topology/extra-ca.ts';
import { targetTrouble } from '#harness/topology/target-url.ts';
import { exitCodesText } from './exit-codes.ts';
import { exportVerb } from './export-verb.ts';
import { loadFindFit, loadOperations, loadRun } from './modules.ts';
import { engineNames, exportWays } from './run-options.ts';
import { runScenarios, type ScenarioArguments } from './scenario-verb.ts';
import { verbsText } from './verbs.ts';

const seedMax = 0xffff_ffff;
const repeatMax = 100;
const podsMax = 100;
const podsDefault = 2;

export const scenarioCommand: CommandModule<object, ScenarioArguments> = {
  command: 'scenario [name] [exported]',
  describe: 'run a scenario: a name from scenarios/, or a .ts or .json file; `list` lists the names, `schema` prints the JSON Schema',
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', describe: 'name, file, list, schema, or export' })
      .positional('exported', { type: 'string', describe: 'of export: the name or file to export' })
      .option('to', { choices: exportWays, default: 'k6' as const, describe: 'of export: a script for k6, or manifests for the k6-operator' })
      .option('parallelism', { type: 'number', requiresArg: true, default: podsDefault, describe: 'of export: pods of the k6-operator' })
      .option('target', {
        type: 'string',
        requiresArg: true,
        describe: 'URL of a service that runs already; without it one is started',
        implies: 'credentials',
      })
      .option('url', {
        type: 'string',
        requiresArg: true,
        describe: 'instead of a scenario: load any HTTP service with one request, as http://127.0.0.1:3000/orders',
      })
      .option('rate', { type: 'number', requiresArg: true, describe: 'of --url: requests a second, whatever comes back (50)' })
      .option('duration', { type: 'string', requiresArg: true, describe: 'of --url: how long that is measured, as 30s or 2m (30s)' })
      .option('warm-up', { type: 'string', requiresArg: true, describe: 'of --url: so long before, at the same rate (a sixth of the duration, 10s at most)' })
      .option('method', { type: 'string', requiresArg: true, describe: 'of --url (GET, and POST with a body)' })
      .option('header', {
        type: 'string',
        array: true,
        nargs: 1,
        describe: `of --url: 'Name: value', where \${NAME} is taken from the environment; repeatable`,
      })
      .option('body', { type: 'string', requiresArg: true, describe: 'of --url: file whose bytes are sent' })
      .option('expect', { type: 'string', requiresArg: true, describe: 'of --url: statuses that are right, as 200,201 or 200-299 (200-299)' })
      .option('p99', { type: 'number', requiresArg: true, describe: 'of --url: milliseconds that 99 % of the answers have to keep; no limit without it' })
      .option('connections', {
        type: 'number',
        requiresArg: true,
        describe: 'of --url: connections that are kept; where all are busy further ones are opened (64)',
      })
      .option('timeout', { type: 'string', requiresArg: true, describe: 'of --url: who is not answered by then has failed (10s)' })
      .option('credentials', { type: 'string', requiresArg: true, describe: 'JSON file with the account(s) to use at the target', implies: 'target' })
      .option('ca', { type: 'string', requiresArg: true, describe: "PEM file with the certificate of the target's own authority" })
      .option('seed', { type: 'number', requiresArg: true, default: 1, describe: 'the same seed gives the same arrivals' })
      .option('set', { type: 'string', array: true, nargs: 1, default: [], describe: 'change one place, as in fleet.devices=500; repeatable' })
      .option('full-time', { type: 'boolean', default: false, describe: 'a scenario on a faster clock takes the time that it is about: --set clock.scale=1' })
      .option('repeat', { type: 'number', requiresArg: true, default: 1, describe: 'run it N times and judge over the runs' })
      .option('fit', {
        type: 'boolean',
        default: false,
        describe: 'look for the rate that this machine holds (a short ramp first), and scale all rates by one factor',
      })
      .option('fit-check', {
        type: 'boolean',
        default: true,
        describe: 'end early, with exit code 3 and a rate that fits, where this machine clearly cannot hold the plan; --no-fit-check insists',
      })
      .option('repeat-until-told', {
        type: 'number',
        requiresArg: true,
        describe: 'run it again, with fresh arrivals, until a verdict can be trusted (pass or fail), at most N times',
      })
      .option('out', { type: 'string', requiresArg: true, describe: "folder for the run's own folder (default: reports)" })
      .option('quiet', { type: 'boolean', default: false, describe: 'no live view, only the verdict' })
      .option('json', { type: 'boolean', default: false, describe: 'the verdict as JSON on stdout, everything else on stderr' })
      .option('engine', { choices: engineNames, default: 'native' as const, describe: 'what drives the requests: ours, or k6 (npm run k6:install)' })
      .option('wire', { choices: ['net', 'epoll'] as const, describe: 'socket layer of the engine (default: epoll where it can be)' })
      .check(checkArguments)
      .epilogue(`All verbs:\n${verbsText()}\n\n${exitCodesText}`) as Argv<ScenarioArguments>,
  handler: async (args) => {
    const say = { out: (text: string) => void process.stdout.write(text), err: (text: string) => void process.stderr.write(text) };
    const runScenario: Awaited<ReturnType<typeof loadRun>>['runScenario'] = async (options) => (await loadRun()).runScenario(options);
    const operationNames = async (): Promise<readonly string[]> => (await loadOperations()).operations.map((operation) => operation.name);
    if (args.ca !== undefined) trustAuthority(args.ca);
    const findFit: Awaited<ReturnType<typeof loadFindFit>>['findFit'] = async (options) => (await loadFindFit()).findFit(options);
    const around = { say, runScenario, findFit, operationNames };
    process.exitCode = args.name === 'export' ? await exportVerb(args, around) : await runScenarios(args, around);
  },
};

/** yargs shows a thrown error's text and treats it as a usage error. */
function checkArguments(args: ScenarioArguments): true {
  const { name, exported, seed, repeat, repeatUntilTold, target, parallelism = 1 } = args;
  const idle = idleOption(args);
  if (idle !== undefined) throw new Error(`--${idle} means nothing to ${name === 'export' ? 'export' : 'a run: it is of export'}`);
  if (exported !== undefined && name !== 'export') throw new Error(`Unknown argument: ${exported}`);
  if (!Number.isInteger(parallelism) || parallelism < 1 || parallelism > podsMax)
    throw new Error(`--parallelism has to be a whole number from 1 to ${podsMax}`);
  if (!Number.isInteger(seed) || seed < 0 || seed > seedMax) throw new Error(`--seed has to be a whole number from 0 to ${seedMax}`);
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > repeatMax) throw new Error(`--repeat has to be a whole number from 1 to ${repeatMax}`);
  if (repeatUntilTold !== undefined && (!Number.isInteger(repeatUntilTold) || repeatUntilTold < 1 || repeatUntilTold > repeatMax))
    throw new Error(`--repeat-until-told has to be a whole number from 1 to ${repeatMax}`);
  if (repeatUntilTold !== undefined && repeat !== 1)
    throw new Error('--repeat judges over all of its runs and --repeat-until-told by the first that can be trusted: give one of them');
  const wrongUrl = urlTrouble(args);
  if (wrongUrl !== undefined) throw new Error(wrongUrl);
  const wrongTarget = target === undefined ? undefined : targetTrouble(target);
  if (wrongTarget !== undefined) throw new Error(wrongTarget);
  return true;
}

const ofUrl = ['rate', 'duration', 'warmUp', 'method', 'header', 'body', 'expect', 'p99', 'connections', 'timeout'] as const;
const typedOf = (name: string): string => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** What goes with --url and nothing else, and the other way round. */
function urlTrouble(args: ScenarioArguments): string | undefined {
  const { url, name, target, ca, engine, fit, fullTime } = args;
  if (url === undefined) {
    const stray = ofUrl.find((option) => args[option] !== undefined);
    if (stray !== undefined) return `${typedOf(stray)} means nothing without --url: a scenario says it itself, and --set changes it`;
    return ca !== undefined && target === undefined ? '--ca goes with --target or --url: without them the service is our own' : undefined;
  }
  if (name !== undefined) return `--url is a plan of its own: leave "${name}" out, or give --target with it`;
  if (target !== undefined) return '--url is any service and --target one of the contract: give one of them';
  if (engine === 'k6') return '--url is driven by the native engine: leave --engine k6 out';
  if (fit === true) return '--fit scales what a machine of ours holds, and the service of --url has its own: give a lower --rate';
  return fullTime === true ? '--full-time means nothing to --url, which has no clock of its own' : undefined;
}

/** What was asked for and would be ignored. */
function idleOption({
  name,
  to,
  parallelism,
  engine,
  repeat,
  repeatUntilTold,
  wire,
  json,
  quiet,
  fit = false,
  fitCheck = true,
}: ScenarioArguments): string | undefined {
  const ofRuns = {
    engine: engine === 'k6',
    repeat: repeat !== 1,
    'repeat-until-told': repeatUntilTold !== undefined,
    wire: wire !== undefined,
    json,
    quiet,
    fit,
    'no-fit-check': !fitCheck,
  };
  const ofExport = { to: to !== 'k6', parallelism: parallelism !== podsDefault };
  return Object.entries(name === 'export' ? ofRuns : ofExport).find(([, isGiven]) => isGiven)?.[0];
}
