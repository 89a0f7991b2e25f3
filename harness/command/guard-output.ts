/**
 * Output that nobody takes ends no run: a reader that has seen enough (`| head`) or a log on a full disk would otherwise crash it, with
 * the exit code of a failed service. The exit code is still the verdict's, but for what had to be on stdout and is not.
 */
import { exitCodes } from './exit-codes.ts';

type Guarded = Pick<NodeJS.Process, 'stdout' | 'stderr' | 'on'> & { exitCode?: NodeJS.Process['exitCode'] };

export function guardOutput(guarded: Guarded): void {
  let lost: string | undefined;
  guarded.stderr.on('error', () => undefined);
  guarded.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') lost ??= error.message;
  });
  guarded.on('exit', (code) => {
    if (lost === undefined) return;
    guarded.stderr.write(`what belongs on stdout could not be written: ${lost}\n`);
    if (code === exitCodes.pass) guarded.exitCode = exitCodes.broken;
  });
}
