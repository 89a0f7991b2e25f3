/** What this room sees of the machine, and the only place where it touches it. */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Command } from './managers.ts';

export type Surroundings = {
  readonly variable: (name: string) => string | undefined;
  /** A name on PATH or an absolute path → the absolute path of an executable file. */
  readonly locate: (command: string) => string | undefined;
  readonly isRoot: boolean;
  /** Somebody can type a password. */
  readonly isInteractive: boolean;
  /** Resolves to the exit code; 127 where the program cannot be started. Output is shown, or with `quiet` dropped. */
  readonly run: (command: Command, options?: { readonly quiet: boolean }) => Promise<number>;
  readonly say: (line: string) => void;
};

export const thisMachine: Surroundings = {
  variable: (name) => process.env[name],
  locate: locateExecutable,
  isRoot: process.getuid?.() === 0,
  isInteractive: process.stdin.isTTY === true,
  run: runCommand,
  say: (line) => void process.stdout.write(`${line}\n`),
};

function locateExecutable(command: string): string | undefined {
  const candidates = isAbsolute(command) ? [command] : pathFolders().map((folder) => join(folder, command));
  return candidates.find(isExecutableFile);
}

/** Without npm's own: it has a dummy that is called k6. */
const pathFolders = (): readonly string[] => (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function runCommand([program, ...args]: Command, { quiet } = { quiet: false }): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: quiet ? 'ignore' : ['ignore', 'inherit', 'inherit'] });
    child.once('error', () => resolve(127));
    child.once('close', (code) => resolve(code ?? 1));
  });
}
