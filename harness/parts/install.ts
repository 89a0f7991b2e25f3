import { adviceFor, findPart, type Installation, installationOf, show } from './find.ts';
import type { Command } from './managers.ts';
import type { Part } from './parts.ts';
import { withProgress } from './progress.ts';
import type { Surroundings } from './surroundings.ts';

/** Says of every part where it is, or how to come by it. Changes nothing. */
export function listParts(parts: readonly Part[], machine: Surroundings): void {
  for (const part of parts) {
    const finding = findPart(part, machine);
    machine.say(
      finding.kind === 'found'
        ? found(part, finding.path)
        : `${part.name}: missing (${part.purpose}; ${costsText(part)}); ${adviceFor(part, finding, machine)}`,
    );
  }
}

/** Those that are named; without names those that `npm test` needs, or all. */
export const wantedParts = (parts: readonly Part[], { names, all }: { readonly names: readonly string[]; readonly all: boolean }): readonly Part[] =>
  parts.filter(({ name, isForLong }) => (names.length > 0 ? names.includes(name) : all || isForLong !== true));

/** Resolves to the exit code: 0 when every part is there at the end. */
export async function installParts(parts: readonly Part[], machine: Surroundings): Promise<number> {
  let missing = 0;
  for (const [index, part] of parts.entries()) if (!(await havePart(part, machine, `${index + 1} of ${parts.length}`))) missing += 1;
  return missing === 0 ? 0 : 1;
}

const found = (part: Part, path: string): string => `${part.name}: ${path} (${part.purpose}; ${costsText(part)})`;

const costsText = ({ costs: { megabytes, minutes } }: Part): string =>
  `about ${megabytes} MB, ${minutes < 1 ? `${Math.ceil(minutes * 60)} s` : `${minutes} min`}`;

async function havePart(part: Part, machine: Surroundings, place: string): Promise<boolean> {
  const before = findPart(part, machine);
  if (before.kind === 'found') {
    machine.say(found(part, before.path));
    return true;
  }
  if (before.kind === 'misnamed') {
    machine.say(adviceFor(part, before, machine));
    return false;
  }
  const installation = installationOf(part, machine);
  if (installation.kind === 'impossible') {
    machine.say(installation.reason);
    return false;
  }
  machine.say(`${part.name}: missing (${part.purpose}); installing it, ${place}: ${costsText(part)}`);
  const installed = await withProgress(install(installation, machine), { name: part.name, minutes: part.costs.minutes, say: machine.say });
  const after = findPart(part, machine);
  machine.say(after.kind === 'found' ? found(part, after.path) : afterFailure(part, installed));
  return after.kind === 'found';
}

function afterFailure(part: Part, installed: boolean): string {
  const why = installed ? `was installed under none of the names ${part.commands.join(', ')}` : 'could not be installed: the output above says why';
  return `${part.name} ${why}; install it yourself, or set ${part.variable}.`;
}

async function install(installation: Exclude<Installation, { kind: 'impossible' }>, machine: Surroundings): Promise<boolean> {
  const say = (command: Command): Promise<number> => {
    machine.say(`$ ${show(command)}`);
    return machine.run(command);
  };
  if (installation.kind === 'buildable') return (await say(installation.build)) === 0;
  const { manager, packages, asRoot } = installation;
  const refresh = async (): Promise<boolean> => manager.refresh !== null && (await say(asRoot(manager.refresh))) === 0;
  const command = asRoot(manager.install(packages));
  const isKnown = manager.knows === null || (await machine.run(manager.knows(packages), { quiet: true })) === 0;
  if (!isKnown) await refresh();
  if ((await say(command)) === 0) return true;
  // A list that knows the package may be too old for the mirror, which no longer has that version.
  return isKnown && (await refresh()) && (await say(command)) === 0;
}
