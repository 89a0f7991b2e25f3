/** The README's commands, and how each has to end: for tests that type them. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const readme = readFileSync(`${root}README.md`, 'utf8');
const hangsAfterMs = 590_000;

type ReadmeCommand = { readonly command: string; readonly codes: readonly number[]; readonly isMeasured: boolean };

/** Fenced blocks tagged `sh`, with the exit codes that their info string allows: one that may end in several ways measures. */
export const readmeCommands = [...readme.matchAll(/^```sh(?: exit=([\d,]+))?\n([\s\S]*?)^```/gm)].flatMap(([, codes = '0', block = '']) =>
  block
    .trim()
    .split('\n')
    .map((command): ReadmeCommand => ({ command, codes: codes.split(',').map(Number), isMeasured: codes.includes(',') })),
);

export const typed = (command: string) =>
  spawnSync('bash', ['-c', command], { cwd: root, encoding: 'utf8', timeout: hangsAfterMs, env: { ...process.env, NO_COLOR: '1' } });
