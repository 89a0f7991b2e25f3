/** A run of the command line as a child process: for tests that look at runs from outside. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verdictComplaints } from '#harness/gates/verdict-complaints.ts';
import { createAccount } from '#harness/topology/accounts.ts';
import { type Service, startService } from '#harness/topology/service-process.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

/** The verdict's JSON on standard output, everything else on standard error. */
export const startScenario = (...args: readonly string[]): ChildProcess =>
  spawn(process.execPath, ['harness/main.ts', 'scenario', '--json', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });

export type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

/** Whatever the engine and the ending, a verdict on standard output keeps its published schema. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (out.startsWith('{')) assert.deepEqual(verdictComplaints(JSON.parse(out)), []);
  return { code, out, err };
}

/** Once a line of the child's standard error matches. */
export const said = (child: ChildProcess, what: RegExp): Promise<void> =>
  new Promise((resolve) => {
    let text = '';
    child.stderr?.on('data', (chunk) => {
      text += chunk;
      if (what.test(text)) resolve();
    });
  });

/** The service with one named fault, and the arguments of a run against it. `accounts`: as many as the scenario's fleet has. */
export async function startTwin(
  fault: string,
  folder: string,
  accounts = 1,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly twin: Service; readonly args: readonly string[] }> {
  const twin = await startService({ workers: 1, folder: join(folder, 'twin'), entry: 'system/twins/main.ts', args: [fault], env });
  const made = [];
  for (let i = 0; i < accounts; i++) made.push(await createAccount(twin.adminUrl, twin.adminToken, `fleet-${i}`));
  const credentials = join(folder, 'credentials.json');
  writeFileSync(credentials, JSON.stringify(made));
  return { twin, args: [`--target=${twin.url}`, `--credentials=${credentials}`] };
}
