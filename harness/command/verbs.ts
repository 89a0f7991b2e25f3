/** The verbs as data, and the one way to start any of them. Only the chosen verb's module is imported. */
import yargs, { type Argv, type CommandModule } from 'yargs';
import { nearestWord, offer } from '#harness/gates/nearest.ts';
import { exitCodes, exitCodesText } from './exit-codes.ts';

export type Verb = {
  readonly name: string;
  readonly usage: string;
  readonly what: string;
  /** Import specifier, and the name of the yargs command it exports. */
  readonly module: string;
  readonly command: string;
};

export const verbs: readonly Verb[] = [
  {
    name: 'scenario',
    usage: 'npm run scenario -- [NAME|FILE]',
    what: 'run a scenario, or list them',
    module: '#harness/command/scenario.ts',
    command: 'scenarioCommand',
  },
  {
    name: 'report',
    usage: 'npm run report -- RUN',
    what: "make a run's reports again from its folder",
    module: '#harness/command/report.ts',
    command: 'reportCommand',
  },
  {
    name: 'conformance',
    usage: 'npm run conformance',
    what: 'check the numbered rules of the contract',
    module: '#harness/conformance/command.ts',
    command: 'conformanceCommand',
  },
  {
    name: 'fuzz',
    usage: 'npm run fuzz',
    what: 'ask what the description says, and nearly, and look for answers that it does not know',
    module: '#harness/fuzz/command.ts',
    command: 'fuzzCommand',
  },
  {
    name: 'bench',
    usage: 'npm run bench -- NAME',
    what: 'measure a claim of this project beside its peers',
    module: '#harness/bench/command.ts',
    command: 'benchCommand',
  },
  {
    name: 'parts',
    usage: 'npm run parts',
    what: 'look for the real parts that tests use, and install them',
    module: '#harness/parts/command.ts',
    command: 'partsCommand',
  },
];

export function verbsText(): string {
  return verbs.map((verb) => `  ${verb.usage.padEnd(36)}${verb.what}`).join('\n');
}

export type Say = { readonly out: (text: string) => void; readonly err: (text: string) => void };

/** Resolves to the exit code. Verbs set `process.exitCode` themselves where they have one to give. */
export async function runVerb(args: readonly string[], say: Say): Promise<number> {
  const [name] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? say.err : say.out)(`Headroom: how much load is left before a promise breaks?\n\n${verbsText()}\n\n${exitCodesText}\n`);
    return name === undefined ? exitCodes.usage : 0;
  }
  const verb = verbs.find((one) => one.name === name);
  if (verb === undefined) {
    const known = verbs.map((one) => one.name);
    say.err(`there is no verb "${name}"${offer(name, known)}\n`);
    return exitCodes.usage;
  }
  const exported = (await import(verb.module)) as Readonly<Record<string, CommandModule>>;
  return parseAndRun(args, verb, exported[verb.command] as CommandModule, say);
}

async function parseAndRun(args: readonly string[], verb: Verb, command: CommandModule, say: Say): Promise<number> {
  let known: readonly string[] = [];
  const builder = recording(command.builder, (names) => {
    known = names;
  });
  const recorded = { ...command, builder } as CommandModule;
  const parser = yargs([...args])
    .scriptName('')
    .usage(`${verb.usage} [options]`)
    .command(recorded)
    .locale('en')
    .version(false)
    .strict()
    .exitProcess(false)
    .showHelpOnFail(false)
    .wrap(110)
    .fail((message, error) => {
      // A handler's own error comes without a message; a usage error has to be thrown, or the handler runs all the same.
      throw typeof message === 'string' ? new UsageError(message) : error;
    });
  try {
    await parser.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say.err(`${withOffer(error.message, known)}\nnpm run ${verb.name} -- --help says what there is\n`);
    return exitCodes.usage;
  }
}

class UsageError extends Error {}

type Builder = CommandModule['builder'];

/** Notes the names of the options that the builder declares: yargs forgets them before it complains. */
function recording(builder: Builder, note: (names: readonly string[]) => void): (parser: Argv) => Argv | PromiseLike<Argv> {
  return (parser) => {
    const built = typeof builder === 'function' ? (builder(parser) as Argv) : parser.options(builder ?? {});
    // Public in yargs and missing from its types.
    const { getOptions } = built as unknown as { readonly getOptions?: () => { readonly key?: object } };
    note(Object.keys(getOptions?.call(built).key ?? {}));
    return built;
  };
}

/** yargs names unknown options and offers none. */
function withOffer(message: string, options: readonly string[]): string {
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1]?.split(', ') ?? [];
  if (unknown.length === 0) return message;
  return unknown.map((word) => (nearestWord(word, options) === undefined ? `unknown: ${word}` : `unknown: ${word}${offer(word, options)}`)).join('\n');
}
