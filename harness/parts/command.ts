/** `npm run parts`: the programs that tests use and npm does not bring. Without more it installs what `npm test` needs. */
import type { CommandModule } from 'yargs';
import { installParts, listParts, wantedParts } from './install.ts';
import { parts } from './parts.ts';
import { thisMachine } from './surroundings.ts';

type PartsArguments = { list: boolean; all: boolean; names: string[] };

export const partsCommand: CommandModule<object, PartsArguments> = {
  command: 'parts [names..]',
  describe: 'look for the real parts that tests use, and install what is missing',
  builder: (yargs) =>
    yargs
      .positional('names', {
        type: 'string',
        array: true,
        default: [],
        choices: parts.map(({ name }) => name),
        describe: 'only these; without, those that npm test needs',
      })
      .option('all', { type: 'boolean', default: false, describe: 'those that only npm run test:long needs too, which are built in minutes' })
      .option('list', { type: 'boolean', default: false, describe: 'only say what is there and what is missing' })
      .epilogue('Exit code 0 when every part is there (or with --list), 1 when one could not be installed, 2 for a usage error.'),
  handler: async ({ list, all, names }) => {
    const wanted = wantedParts(parts, { names, all: all || list });
    if (list) listParts(wanted, thisMachine);
    else process.exitCode = await installParts(wanted, thisMachine);
  },
};
