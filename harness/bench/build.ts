/**
 * Another revision of this repository beside this one, and runnable: its files in a folder of their own, over the
 * packages that are installed here.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** `name` is what the bench calls it, `folder` where its `package.json` is. */
export type Build = { readonly name: string; readonly folder: string };

/** What a build is compared with where nobody says: the last commit before admission, the front and the group wait of today. */
export const baseDefault = '341bc4d';

export const thisBuild: Build = { name: 'this', folder: root };

/** Rejects with a sentence where there is no such revision. The folder is gone when `use` is done. */
export async function withBuildOf<T>(revision: string, use: (build: Build) => Promise<T>): Promise<T> {
  const parent = await mkdtemp(join(tmpdir(), 'headroom-build-'));
  try {
    const folder = join(parent, 'build');
    await mkdir(folder);
    const archive = join(parent, 'files.tar');
    await run('git', ['archive', '--format=tar', '-o', archive, `${revision}^{commit}`], { cwd: root }).catch((cause) => {
      throw new Error(`there is no revision "${revision}" to compare with here: --base takes one that git knows in this repository`, { cause });
    });
    await run('tar', ['-xf', archive, '-C', folder]);
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    return await use({ name: 'base', folder });
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

/** What a build's own command line said: its exit code, and what it wrote to stdout. */
export type Said = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export async function askBuild({ folder }: Build, args: readonly string[], signal: AbortSignal): Promise<Said> {
  const child = spawn(process.execPath, ['harness/main.ts', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (): void => void child.kill('SIGINT');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const closed = once(child, 'close') as Promise<[number | null]>;
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    return { code, stdout, stderr };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
