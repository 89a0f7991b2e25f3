/** `npm run report -- RUN`: every report again from a run's folder, without a run. */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { offer } from '#harness/gates/nearest.ts';
import { loadRunFolder } from './modules.ts';
import { usageExitCode } from './verbs.ts';

type ReportArguments = { readonly run: string; readonly out: string };

export const reportCommand: CommandModule<object, ReportArguments> = {
  command: 'report <run>',
  describe: "make a run's reports again from its folder",
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: "a run's folder, its name below reports/, or latest" })
      .option('out', { type: 'string', requiresArg: true, default: 'reports', describe: 'where run folders are' }) as Argv<ReportArguments>,
  handler: async ({ run, out }) => {
    const found = findRun(run, out);
    if (found.kind === 'none') {
      process.stderr.write(`${found.message}\n`);
      process.exitCode = usageExitCode;
      return;
    }
    await (await loadRunFolder()).writeReports(found.folder);
    process.stdout.write(`${join(found.folder, 'index.html')}\n`);
  },
};

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
