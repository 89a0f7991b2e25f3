import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findRun } from './report.ts';
import { verbs } from './verbs.ts';

const main = join(import.meta.dirname, '..', 'headroom.js');
function typed(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('--help names every verb, every option and every exit code, on stdout', () => {
  const { status, stdout } = typed('scenario', '--help');
  expect(status).toBe(0);
  for (const { usage } of verbs) expect(stdout).toContain(usage);
  for (const option of ['target', 'credentials', 'seed', 'set', 'repeat', 'out', 'quiet', 'json', 'wire', 'fit', 'fit-check', 'url', 'rate', 'header'])
    expect(stdout).toContain(`--${option}`);
  for (const code of ['0 pass', '1 fail', '2 usage', '3 invalid', '4 inconclusive', '5 broken', '130 interrupted']) expect(stdout).toContain(code);
});

test.each<[string[], string]>([
  [[], 'How much load'.toLowerCase()],
  [['scenaro'], 'did you mean "scenario"?'],
  [['scenario', 'spyke'], 'did you mean "spike"?'],
  [['scenario', 'smoke', '--sed', '4'], 'unknown: sed; did you mean "seed"?'],
  [['scenario', 'smoke', 'again'], 'unknown: again'],
  [['scenario', 'smoke', '--seed', '-1'], '--seed has to be'],
  [['scenario', 'smoke', '--seed', 'one'], '--seed has to be'],
  [['scenario', 'smoke', '--repeat', '0'], '--repeat has to be'],
  [['scenario', 'smoke', '--repeat-until-told', '0'], '--repeat-until-told has to be'],
  [['scenario', 'smoke', '--repeat-until-told', '3', '--repeat', '2'], 'give one of them'],
  [['scenario', 'export', 'smoke', '--repeat-until-told', '3'], '--repeat-until-told means nothing to export'],
  [['scenario', 'smoke', '--to', 'k6-operator'], '--to means nothing to a run'],
  [['scenario', 'export', 'smoke', '--repeat', '3'], '--repeat means nothing to export'],
  [['scenario', 'export', 'smoke', '--fit'], '--fit means nothing to export'],
  [['scenario', 'smoke', '--fit', '--engine', 'k6'], 'k6 holds less on the same machine'],
  [['scenario', 'smoke', '--target', 'http://127.0.0.1:1'], 'target -> credentials'],
  [['scenario', 'smoke', '--url', 'http://127.0.0.1:1'], '--url is a plan of its own: leave "smoke" out'],
  [['scenario', 'smoke', '--rate', '10'], '--rate means nothing without --url'],
  [['scenario', 'smoke', '--ca', 'own.pem'], '--ca goes with --target or --url'],
  [['scenario', '--url', 'http://127.0.0.1:1', '--fit'], 'give a lower --rate'],
  [['scenario', '--url', 'http://127.0.0.1:1', '--engine', 'k6'], 'driven by the native engine'],
  [['scenario', '--url', 'localhost:3000'], '--url has to be an http or https URL'],
  [['scenario', '--url', 'http://127.0.0.1:1', '--duration', 'soon'], '--duration has to be a time'],
  [['scenario', 'smoke', '--target', 'ftp://x', '--credentials', 'c.json'], '--target has to be an http or https URL'],
  [['scenario', 'smoke', '--target', 'http://me:secret@x', '--credentials', 'c.json'], '--target has a user or password in it'],
  [['scenario', 'smoke', '--target', 'http://x/?tenant=7', '--credentials', 'c.json'], '--target ends in ?tenant=7'],
  [['conformance', '--target', 'http://x/#a', '--credentials', 'c.json'], '--target ends in #a'],
  [['fuzz', '--target', 'http://me@x', '--credentials', 'c.json'], '--target has a user or password in it'],
  [['scenario', 'smoke', '--target', 'https://x', '--credentials', 'c.json', '--ca', '/nowhere.pem'], '--ca /nowhere.pem cannot be used'],
  [['scenario', 'smoke', '--wire', 'epol'], 'wire'],
  [['report'], 'Not enough'],
  [['report', 'nope', '--out', '/nowhere'], 'there is no run in /nowhere'],
])('%j is a usage error: 2, on stderr', (args, message) => {
  const { status, stdout, stderr } = typed(...args);
  expect(stderr).toContain(message);
  expect([status, stdout]).toEqual([2, '']);
});

/** As a shell starts it; the code is the command's own, whatever its output went to. */
function shell(command: string, nodeOptions = '') {
  const env = { ...process.env, NODE_OPTIONS: nodeOptions };
  const script = `headroom() { '${process.execPath}' '${main}' "$@"; }; ${command}; echo "code \${PIPESTATUS[0]}" >&2`;
  const { stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8', env });
  return { code: Number(/code (\d+)\n$/.exec(stderr)?.[1]), stderr };
}

test.each([
  ['a reader that has seen enough', 'headroom scenario list | head -0', 0],
  ['a reader of the errors that has gone', 'headroom scenario nope 2>&1 >/dev/null | head -0', 2],
  ['a log on a full disk', 'headroom scenario nope 2>/dev/full', 2],
  ['an answer that a full disk did not take', 'headroom scenario list >/dev/full', 5],
])('%s is not exit code 1', (_, command, code) => {
  const ended = shell(command);
  expect(ended.stderr).not.toContain('Unhandled');
  expect(ended.code).toBe(code);
});

test('an answer that a full disk did not take is said', () => {
  expect(shell('headroom scenario list >/dev/full').stderr).toContain('could not be written: ENOSPC');
});

const imported = (code: string): string => `--import=data:text/javascript,${encodeURIComponent(code)}`;
test('an older Node is a usage error that says what to do', () => {
  const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })";
  const ended = shell('headroom scenario list', imported(old));
  expect(ended.stderr).toMatch(/needs Node 26 .* npx headroom/);
  expect(ended.code).toBe(2);
});

test('what nobody caught is a fault of ours, and not of the service', () => {
  const late = "setTimeout(() => { throw new Error('nobody caught this'); }, 0)";
  const ended = shell('headroom scenario list', imported(late));
  expect(ended.stderr).toMatch(/says nothing about the service:\nError: nobody caught this/);
  expect(ended.code).toBe(5);
});

test('a run is found by folder, by name, or as the latest', () => {
  const out = mkdtempSync(join(tmpdir(), 'headroom-reports-'));
  for (const name of ['2026-01-01-smoke', '2026-01-02-smoke']) {
    const folder = mkdtempSync(join(out, `${name}-`));
    writeFileSync(join(folder, 'run.json'), '{}');
  }
  try {
    const latest = findRun('latest', out);
    expect(latest).toMatchObject({ kind: 'found', folder: expect.stringContaining('2026-01-02-smoke') });
    const folder = latest.kind === 'found' ? latest.folder : '';
    expect(findRun(folder, 'elsewhere')).toEqual({ kind: 'found', folder });
    expect(findRun(folder.slice(out.length + 1), out)).toEqual({ kind: 'found', folder });
    expect(findRun(`${folder.slice(out.length + 1)}x`, out)).toMatchObject({ kind: 'none', message: expect.stringContaining('did you mean') });
  } finally {
    rmSync(out, { recursive: true });
  }
});
