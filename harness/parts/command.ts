/** `npm run parts`: what is there, what is missing, and installing it. */
import { spawnSync } from 'node:child_process';
import type { CommandModule } from 'yargs';
import { findPart, here, installCommands, parts } from './parts.ts';

export const partsCommand: CommandModule<object, { list: boolean }> = {
  command: 'parts',
  describe: 'look for the real parts that tests use, and install what is missing',
  builder: (yargs) => yargs.option('list', { type: 'boolean', default: false, describe: 'only say what is there and what is missing' }),
  handler: ({ list }) => {
    process.exitCode = provideParts(list);
  },
};

function provideParts(listOnly: boolean): number {
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const missing = parts.filter((part) => {
    const path = findPart(part, here);
    say(`${part.name.padEnd(12)} ${path ?? 'missing'}   ${part.purpose}`);
    return path === undefined;
  });
  if (missing.length === 0) return 0;
  const commands = installCommands(missing, here);
  if (commands === undefined) {
    say(
      `no package manager that is known here; install ${missing.map(({ name }) => name).join(', ')} by hand, or name its path in ${missing.map(({ variable }) => variable).join(', ')}`,
    );
    return listOnly ? 0 : 1;
  }
  for (const command of commands) {
    say(`${listOnly ? 'would run' : 'running'}: ${command.join(' ')}`);
    if (listOnly) continue;
    const { status } = spawnSync(command[0] as string, command.slice(1), {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (status !== 0) {
      say(`that command ended with code ${status}; the part is still missing`);
      return 1;
    }
  }
  return 0;
}
