/** The table of parts, and how each is found and installed. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type Manager = 'apt-get' | 'dnf' | 'apk' | 'pacman' | 'brew';

export type Part = {
  readonly name: string;
  readonly purpose: string;
  /** Any of these on PATH will do. */
  readonly executables: readonly string[];
  /** Names a path by hand. */
  readonly variable: string;
  readonly packages: Readonly<Record<Manager, string>>;
};

export const parts: readonly Part[] = [
  {
    name: 'chromium',
    purpose: 'the browser that opens reports in tests',
    executables: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    variable: 'HEADROOM_CHROMIUM',
    packages: { 'apt-get': 'chromium', dnf: 'chromium', apk: 'chromium', pacman: 'chromium', brew: 'chromium' },
  },
];

export type Surroundings = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly exists: (path: string) => boolean;
  readonly isRoot: boolean;
};

export const here: Surroundings = { environment: process.env, exists: existsSync, isRoot: process.getuid?.() === 0 };

export function findExecutable(name: string, { environment, exists }: Surroundings): string | undefined {
  return (environment.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(exists);
}

export function findPart(part: Part, surroundings: Surroundings): string | undefined {
  const named = surroundings.environment[part.variable];
  if (named !== undefined && surroundings.exists(named)) return named;
  for (const executable of part.executables) {
    const path = findExecutable(executable, surroundings);
    if (path !== undefined) return path;
  }
  return undefined;
}

const managers: readonly Manager[] = ['apt-get', 'dnf', 'apk', 'pacman', 'brew'];
const installWords: Readonly<Record<Manager, readonly string[]>> = {
  'apt-get': ['install', '-y', '--no-install-recommends'],
  dnf: ['install', '-y'],
  apk: ['add'],
  pacman: ['-S', '--noconfirm'],
  brew: ['install'],
};

export type Command = readonly string[];

/** The commands that install the parts, in order; undefined where no package manager that we know is there. */
export function installCommands(missing: readonly Part[], surroundings: Surroundings): readonly Command[] | undefined {
  const manager = managers.find((name) => findExecutable(name, surroundings) !== undefined);
  if (manager === undefined) return undefined;
  const sudo = manager !== 'brew' && !surroundings.isRoot && findExecutable('sudo', surroundings) !== undefined ? ['sudo'] : [];
  const refresh: readonly Command[] = manager === 'apt-get' ? [[...sudo, 'apt-get', 'update']] : [];
  return [...refresh, [...sudo, manager, ...installWords[manager], ...missing.map(({ packages }) => packages[manager])]];
}

/** For tests: the part's path, or an error that says how to get it. */
export function requirePart(name: string, surroundings: Surroundings = here): string {
  const part = parts.find((candidate) => candidate.name === name);
  if (part === undefined) throw new Error(`there is no part named ${name}`);
  const path = findPart(part, surroundings);
  if (path !== undefined) return path;
  throw new Error(`${name} is missing (${part.purpose}). Install it with: npm run parts`);
}
