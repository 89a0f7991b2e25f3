import { join } from 'node:path';
import { type Command, type Manager, managerNames, managers } from './managers.ts';
import { builtPath, type Part, type PartName, parts } from './parts.ts';
import { type Surroundings, thisMachine } from './surroundings.ts';

export type Finding =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'missing' }
  /** The variable is set and names nothing that can run. */
  | { readonly kind: 'misnamed'; readonly value: string };

export function findPart(part: Part, machine: Surroundings): Finding {
  const named = machine.variable(part.variable);
  if (named !== undefined && named !== '') {
    const path = machine.locate(named);
    return path === undefined ? { kind: 'misnamed', value: named } : { kind: 'found', path };
  }
  for (const command of part.commands) {
    const path = machine.locate(command);
    if (path !== undefined) return { kind: 'found', path };
  }
  return { kind: 'missing' };
}

export type Installation =
  /** One command that builds it. */
  | { readonly kind: 'buildable'; readonly build: Command }
  | { readonly kind: 'possible'; readonly manager: Manager; readonly packages: readonly string[]; readonly asRoot: (command: Command) => Command }
  | { readonly kind: 'impossible'; readonly reason: string };

export function installationOf(part: Part, machine: Surroundings): Installation {
  if (part.go !== undefined) return buildOf(part.name, part.go, machine);
  const manager = managers.find(({ name }) => machine.locate(name) !== undefined);
  if (manager === undefined) {
    return impossible(`This system has none of ${managerNames.join(', ')}: install ${part.name} yourself, and set ${part.variable} if it is not on PATH.`);
  }
  const packages = part.packages[manager.name];
  if (packages === undefined) {
    return impossible(`${manager.name} has no package of ${part.name}: install it yourself, and set ${part.variable} if it is not on PATH.`);
  }
  if (!manager.needsRoot || machine.isRoot) return { kind: 'possible', manager, packages, asRoot: (command) => command };
  if (machine.locate('sudo') === undefined)
    return impossible(`Without root and without sudo nothing can be installed; as root: ${show(manager.install(packages))}`);
  const sudo: readonly string[] = machine.isInteractive ? [] : ['-n'];
  return { kind: 'possible', manager, packages, asRoot: (command) => ['sudo', ...sudo, ...command] };
}

/** The module file names the version of all that goes into it, and its sums. */
function buildOf(name: string, { module, package: goPackage }: NonNullable<Part['go']>, machine: Surroundings): Installation {
  if (machine.locate('go') === undefined) {
    return impossible(`${name} is built with the Go toolchain, which is not on PATH: install Go 1.26 and run npm run parts, or put ${name} itself on PATH.`);
  }
  return { kind: 'buildable', build: ['go', 'build', '-C', join(import.meta.dirname, 'go', module), '-trimpath', '-o', builtPath(name), goPackage] };
}

const impossible = (reason: string): Installation => ({ kind: 'impossible', reason });

export const show = (command: Command): string => command.join(' ');

/** How to come by a part that is not there, in one sentence. */
export function adviceFor(part: Part, finding: Finding, machine: Surroundings): string {
  if (finding.kind === 'misnamed') return `${part.variable} is "${finding.value}", and there is no such program: correct it or unset it.`;
  const installation = installationOf(part, machine);
  if (installation.kind === 'impossible') return installation.reason;
  if (installation.kind === 'buildable')
    return `install it with: npm run parts -- ${part.name} (which runs: ${show(installation.build)}), or put ${part.name} on PATH`;
  return `install it with: npm run parts (which runs: ${show(installation.asRoot(installation.manager.install(installation.packages)))})`;
}

/** For tests: the part's path, or an error that says how to install it. */
export function requirePart(name: PartName, machine: Surroundings = thisMachine): string {
  const part: Part | undefined = parts.find((one) => one.name === name);
  if (part === undefined) throw new Error(`there is no part "${name}"`);
  const finding = findPart(part, machine);
  if (finding.kind === 'found') return finding.path;
  throw new Error(`${part.name} is missing, which ${part.purpose}; ${adviceFor(part, finding, machine)}`);
}
