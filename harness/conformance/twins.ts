/** What system/twins says of its faults; asked as a process, since the harness imports nothing of the system but its protocol. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type Twin = {
  readonly name: string;
  /** Rules that it breaks. */
  readonly breaks: readonly string[];
  /** What it does, as the end of a sentence about it. */
  readonly about: string;
};

const list = fileURLToPath(new URL('../../system/twins/list.ts', import.meta.url));

export function readTwins(): readonly Twin[] {
  const lines = execFileSync(process.execPath, [list], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Twin);
}
