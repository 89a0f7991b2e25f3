/** `npm run report -- RUN`: every report again from a run's folder, without a run. */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { offer } from '#harness/gates/nearest.ts';
import { exitCodes } from './exit-codes.ts';
import { loadMerge, loadRunFolder } from './modules.ts';

type ReportArguments = {
  readonly run: string;
  readonly parts?: readonly string[] | undefined;
  readonly out: string;
  readonly target?: string | undefined;
  readonly credentials?: string | undefined;
};

export const reportCommand: CommandModule<object, ReportArguments> = {
  command: 'report <run> [parts..]',
  describe: "make a run's reports again from its folder",
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: "a run's folder, its name below reports/, latest, or merge" })
      .positional('parts', { type: 'string', array: true, describe: 'of merge: folders of runs, or of an exported plan with its samples' })
      .option('target', { type: 'string', requiresArg: true, implies: 'credentials', describe: 'of merge: where samples of k6 are read back' })
      .option('credentials', { type: 'string', requiresArg: true, implies: 'target', describe: 'of merge: JSON file with the account(s)' })
      .check(checkParts)
      .option('out', { type: 'string', requiresArg: true, default: 'reports', describe: 'where run folders are' }) as Argv<ReportArguments>,
  handler: async ({ run, parts = [], out, target, credentials }) => {
    if (run === 'merge') {
      const named = target === undefined || credentials === undefined ? {} : { target: { url: target, credentialsFile: credentials } };
      process.exitCode = (await (await loadMerge()).mergeFolders({ folders: parts, out, ...named })).exitCode;
      return;
    }
    const found = findRun(run, out);
    if (found.kind === 'none') {
      process.stderr.write(`${found.message}\n`);
      process.exitCode = exitCodes.usage;
      return;
    }
    await (await loadRunFolder()).writeReports(found.folder);
    process.stdout.write(`${join(found.folder, 'index.html')}\n`);
  },
};

function checkParts({ run, parts = [] }: Pick<ReportArguments, 'run' | 'parts'>): true {
  if (run === 'merge' && parts.length === 0) throw new Error('report merge needs the folders that are to be merged');
  if (run !== 'merge' && parts.length > 0) throw new Error(`Unknown argument: ${parts.join(', ')}`);
  return true;
}

export type FoundRun = { readonly kind: 'found'; readonly folder: string } | { readonly kind: 'none'; readonly message: string };

/** Folders are named by their time, so the last name is the latest run. */
export function findRun(run: string, out: string): FoundRun {
  if (isRun(resolve(run))) return { kind: 'found', folder: resolve(run) };
  const names = existsSync(out) ? readdirSync(out).filter((name) => isRun(join(out, name))) : [];
  const name = run === 'latest' ? names.sort().at(-1) : names.find((one) => one === run);
  if (name !== undefined) return { kind: 'found', folder: resolve(out, name) };
  return { kind: 'none', message: names.length === 0 ? `there is no run in ${out}` : `there is no run "${run}"${offer(run, names.slice(-20))}` };
}

const isRun = (folder: string): boolean => existsSync(join(folder, 'run.json'));
