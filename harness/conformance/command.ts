/** `npm run conformance`: the contract's rules, asked one by one. */

import { writeFileSync } from 'node:fs';
import type { Argv, CommandModule } from 'yargs';
import { onEndSignals } from '#harness/end-signals.ts';
import { readCredentials } from '#harness/topology/credentials.ts';
import { targetTrouble } from '#harness/topology/target-url.ts';
import { chooseRules } from './choose.ts';
import { createClient } from './client.ts';
import { explain } from './explain.ts';
import type { Rule } from './rule.ts';
import { startRuler } from './ruler.ts';
import { rules } from './rules.ts';
import { type Asked, type RuleOutcome, runRules } from './run.ts';
import { startOwnService } from './service.ts';
import { junitOf, tableOf } from './show.ts';
import { readTwins } from './twins.ts';

/** Rules wait far more than they work: so many at once keep two cores busy. */
const jobsDefault = 4;
const jobsMax = 16;

type ConformanceArguments = {
  rules?: string[] | undefined;
  list: boolean;
  explain: boolean;
  target?: string | undefined;
  credentials?: string | undefined;
  twin?: string | undefined;
  strict: boolean;
  jobs: number;
  json: boolean;
  junit?: string | undefined;
};

export const conformanceCommand: CommandModule<object, ConformanceArguments> = {
  command: 'conformance [rules..]',
  describe: 'check the numbered rules of the contract',
  builder: (yargs) =>
    yargs
      .positional('rules', { type: 'string', array: true, describe: 'rules to ask, as R3 R46; all without it' })
      .option('list', { type: 'boolean', default: false, describe: 'say which rules there are' })
      .option('explain', { type: 'boolean', default: false, describe: 'say what the rules prove, how, and how to see them red; ask nothing' })
      .option('target', { type: 'string', describe: 'URL of a service that runs; without it one is started, and stopped at the end' })
      .option('credentials', { type: 'string', describe: "file with the target's accounts; two of them, for what one must not see of the other" })
      .option('twin', { type: 'string', describe: 'start the service with this fault of system/twins, to see a rule red' })
      .option('strict', {
        type: 'boolean',
        default: false,
        describe: 'bounds on time as stated, whatever the machine; a rule that was skipped or cannot be told here counts as broken',
      })
      .option('jobs', {
        type: 'number',
        default: jobsDefault,
        describe: 'rules that are asked at once, each of a service of its own; those that measure are asked alone, and a --target is asked one at a time',
      })
      .option('json', { type: 'boolean', default: false, describe: 'print the outcomes as JSON on stdout, all else on stderr' })
      .option('junit', { type: 'string', describe: 'write JUnit XML to this file' })
      .conflicts('target', 'twin')
      .epilogue(
        'Exit code 0 when every rule asked holds, 1 when one is broken, 2 for a usage error, 3 when one could not be asked, 130 when interrupted.',
      ) as Argv<ConformanceArguments>,
  handler: async (args) => {
    process.exitCode = await conform(args);
  },
};

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function conform(args: ConformanceArguments): Promise<number> {
  if (args.list && !args.explain) {
    for (const { id, title, needs } of rules) process.stdout.write(`${id.padEnd(5)} ${title}${needs.length === 0 ? '' : `  (needs ${needs.join(', ')})`}\n`);
    return 0;
  }
  const chosen = chooseRules(args.rules ?? [], rules);
  if (typeof chosen === 'string') return usage(chosen);
  if (args.explain) return explainAll(args, chosen);
  if (args.target !== undefined && args.credentials === undefined) return usage('--target needs --credentials FILE: the accounts to ask with');
  const wrongTarget = args.target === undefined ? undefined : targetTrouble(args.target);
  if (wrongTarget !== undefined) return usage(wrongTarget);
  if (!Number.isInteger(args.jobs) || args.jobs < 1 || args.jobs > jobsMax) return usage(`--jobs has to be a whole number from 1 to ${jobsMax}`);
  const stop = new AbortController();
  onEndSignals(() => (stop.signal.aborted ? process.exit(130) : stop.abort()));
  const outcomes = await askAll({ args, chosen, signal: stop.signal });
  if (args.junit !== undefined) writeFileSync(args.junit, junitOf(outcomes));
  if (args.json) process.stdout.write(`${JSON.stringify(outcomes)}\n`);
  (args.json ? process.stderr : process.stdout).write(tableOf(outcomes));
  return stop.signal.aborted ? 130 : exitCodeOf(outcomes, args.strict);
}

/** What says how rules are asked, of whom, or what comes of it. */
const asksOnly = ['list', 'target', 'credentials', 'twin', 'strict', 'json', 'junit'] as const;

function explainAll(args: ConformanceArguments, chosen: readonly Rule[]): number {
  const idle = asksOnly.find((option) => args[option] !== undefined && args[option] !== false);
  if (idle !== undefined) return usage(`--explain asks nothing, so that --${idle} has nothing to say: leave one of them out`);
  const twins = readTwins();
  process.stdout.write(chosen.map((rule) => explain(rule, twins)).join('\n\n'));
  return 0;
}

const usage = (sentence: string): number => {
  say(sentence);
  return 2;
};

type Asking = { readonly args: ConformanceArguments; readonly chosen: readonly Rule[]; readonly signal: AbortSignal };
type Held = Asked & { readonly stop: () => Promise<void> };

async function askAll({ args, chosen, signal }: Asking): Promise<readonly RuleOutcome[]> {
  const ruler = await startRuler();
  const held: Held[] = [];
  try {
    const jobs = args.target === undefined ? Math.max(1, Math.min(args.jobs, chosen.filter(({ isAlone }) => isAlone !== true).length)) : 1;
    const starts = await Promise.allSettled(Array.from({ length: jobs }, async () => held.push(await holdOne(args))));
    const failed = starts.find((start) => start.status === 'rejected');
    const [first, ...others] = held;
    if (failed !== undefined || first === undefined) throw failed?.reason;
    let done = 0;
    return await runRules({
      rules: chosen,
      asked: [first, ...others],
      ruler,
      strict: args.strict,
      signal,
      onOutcome: ({ rule, outcome, milliseconds }) => say(`${rule.padEnd(5)} ${outcome} (${milliseconds} ms), ${++done} of ${chosen.length}`),
    });
  } finally {
    ruler.stop();
    await Promise.all(held.map(({ stop }) => stop()));
  }
}

async function holdOne({ target, credentials, twin }: ConformanceArguments): Promise<Held> {
  if (target !== undefined) {
    const base = target.replace(/\/+$/, '');
    const client = createClient(() => base);
    return { client, accounts: readCredentials(credentials as string), service: undefined, stop: client.close };
  }
  const service = await startOwnService(twin);
  const client = createClient(service.url);
  const stop = async (): Promise<void> => {
    await client.close();
    await service.stop();
  };
  return { client, accounts: service.accounts, service, stop };
}

function exitCodeOf(outcomes: readonly RuleOutcome[], strict: boolean): number {
  if (outcomes.some(({ outcome }) => outcome === 'broken' || (strict && (outcome === 'skipped' || outcome === 'untold')))) return 1;
  return outcomes.some(({ outcome }) => outcome === 'error') ? 3 : 0;
}
