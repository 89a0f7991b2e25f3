/** What a user may choose for a run, with real processes: scenarios of one's own, seeds, repetitions, TLS, aborts, and every way to get it wrong. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunRecord, Verdict } from '#harness/run-result.ts';
import { createAccount } from '#harness/topology/accounts.ts';
import { type Service, startService } from '#harness/topology/service-process.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
let folder: string;
let service: Service | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-choices-'));
});
afterEach(async () => {
  await service?.stop();
  service = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const short = {
  name: 'short',
  description: 'Seconds.',
  fleet: { accounts: 1, devices: 20, connection: { kind: 'per-device-group', connections: 5 } },
  phases: [{ name: 'load', measured: true, durationSeconds: 2, rate: { kind: 'constant', ratePerSecond: 100 } }],
  thresholds: [{ metric: 'events_lost', expression: 'count==0' }] as object[],
};

function written(name: string, content: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const child = spawn(process.execPath, ['harness/main.ts', 'scenario', ...args, `--out=${folder}/reports`], { cwd: root, env: { ...process.env, ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

const runs = (): readonly { readonly run: RunRecord }[] =>
  readdirSync(join(folder, 'reports'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, 'reports', name, 'run.json'), 'utf8')) as { run: RunRecord });

async function startTwin(fault: string): Promise<readonly string[]> {
  service = await startService({ workers: 1, folder: join(folder, 'data'), entry: 'system/twins/main.ts', args: [fault] });
  return [`--target=${service.url}`, `--credentials=${written('account.json', await createAccount(service.adminUrl, service.adminToken, 'x'))}`];
}

test('a probe that disagrees so much that an answer changes is heard: invalid', async () => {
  const target = await startTwin('favours-the-probe');
  const phases = [{ ...short.phases[0], durationSeconds: 8 }];
  const thresholds = [...short.thresholds, { metric: 'service_ms{phase:load}', expression: 'p(50)<40' }];
  const { code, out, err } = await run([written('s.json', { ...short, phases, thresholds }), '--json', ...target]);
  const verdict = JSON.parse(out) as Verdict;
  expect(code, err).toBe(3);
  expect(verdict.reasons.map((reason) => reason.text).join('\n')).toMatch(/probe/);
});

test('a chain of authenticate, ingest and a read, a new connection for each request', async () => {
  const scenario = {
    ...short,
    fleet: { ...short.fleet, connection: { kind: 'per-request', openMax: 100 } },
    chains: { day: ['authenticate', 'ingest', 'location'] },
    phases: [{ ...short.phases[0], traffic: [{ chain: 'day', weight: 1 }] }],
  };
  const { code, out, err } = await run([written('s.json', scenario), '--json']);
  const verdict = JSON.parse(out) as Verdict;
  expect([0, 3], err).toContain(code);
  expect(verdict.totals).toMatchObject({ failed: 0, lost: 0, acknowledged: 200 });
  expect(Object.keys(verdict.latencyMs.load ?? {}).sort()).toEqual(['authenticate', 'ingest', 'location']);
  const { authenticate } = verdict.latencyMs.load as Record<string, Record<string, { count: number }>>;
  expect(authenticate?.connect?.count).toBe(200);
});

test('--repeat judges over runs, each with the plan of the next seed; the same seed gives the same plan', async () => {
  const scenario = written('s.json', short);
  const { code, err } = await run([scenario, '--repeat', '2', '--seed', '7']);
  expect([0, 3, 4], err).toContain(code);
  expect(err).toMatch(/2 runs/);
  await run([scenario, '--seed', '8', '--quiet']);
  const hashes = runs().map(({ run }) => run.planHash);
  expect(hashes).toHaveLength(3);
  expect(hashes[1]).not.toBe(hashes[0]);
  expect(hashes[2]).toBe(hashes[1]);
});

const briefNeighbour = [
  ...['warm-up', 'quiet', 'quiet-again'].flatMap((phase) => ['--set', `phases.${phase}.durationSeconds=3`]),
  ...['--set', 'phases.noise.durationSeconds=8', '--set', 'phases.noise.rate.ratePerSecond=1900', '--set', 'phases.noise.traffic[1].weight=1500'],
  // The burst of a second or two is more of eight seconds than of thirty.
  ...['--set', 'thresholds[3].expression=rate>0.25', '--set', 'thresholds[4].expression=rate<0.75'],
];

test('noisy-neighbour: the loud account is held to its quota, and without one its gate is red', async () => {
  const floodShed = ({ thresholds }: Verdict) =>
    thresholds.filter(({ metric, selector }) => metric === 'shed' && selector.operation === 'flood').map(({ holds }) => holds);
  const held = await run(['noisy-neighbour', '--json', ...briefNeighbour]);
  const verdict = JSON.parse(held.out) as Verdict;
  // A shared machine may spoil times; whom the service refuses it may not.
  expect(floodShed(verdict), held.err).toEqual(['yes', 'yes']);
  expect(verdict.thresholds.find(({ metric, selector }) => metric === 'shed' && selector.operation === 'ingest')?.observed).toBe(0);
  expect(verdict.totals).toMatchObject({ lost: 0, duplicated: 0, reordered: 0 });
  const free = await run(['noisy-neighbour', '--json', ...briefNeighbour, '--set', 'system.settings.account-quotas=ingest=50000']);
  expect(floodShed(JSON.parse(free.out) as Verdict), free.err).toEqual(['no', 'yes']);
});

test('an abort threshold that cannot hold any more ends the run: fail, long before its time', async () => {
  const target = await startTwin('favours-the-probe');
  const durationSeconds = 1200;
  const phases = [{ ...short.phases[0], durationSeconds }];
  const thresholds = [{ metric: 'failed{phase:load}', expression: 'count<1', abort: true }];
  const fleet = { ...short.fleet, timeoutMs: 30 };
  const startedMs = performance.now();
  const { code, err } = await run([written('s.json', { ...short, fleet, phases, thresholds }), ...target]);
  expect(code, err).toBe(1);
  expect(performance.now() - startedMs).toBeLessThan((durationSeconds * 1000) / 2);
});

test('a service that speaks TLS', async () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  });
  service = await startService({ workers: 1, folder: join(folder, 'data'), env: { HEADROOM_TLS_CERT: cert, HEADROOM_TLS_KEY: key } });
  expect(service.url).toMatch(/^https:/);
  const credentials = written('account.json', await createAccount(service.adminUrl, service.adminToken, 'x'));
  const args = [written('s.json', short), '--json', `--target=${service.url}`, `--credentials=${credentials}`];
  const { code, out, err } = await run([...args, `--ca=${cert}`]);
  expect([0, 3], err).toContain(code);
  expect((JSON.parse(out) as Verdict).totals).toMatchObject({ acknowledged: 200, failed: 0, lost: 0 });
  const untrusted = await run(args);
  expect(untrusted).toMatchObject({ code: 3, out: expect.stringContaining('not-measured') });
  expect(untrusted.err).toMatch(/authority that this machine does not know: give the authority’s certificate with --ca FILE/);
});

test('a target that does not answer: invalid, and every report says so', async () => {
  const account = written('account.json', { account_id: 'a', secret: 's', publishable_key: 'p' });
  const { code, out, err } = await run([written('s.json', short), '--json', '--target=http://127.0.0.1:1', `--credentials=${account}`]);
  const nothing = 'nothing was measured: nothing answers at http://127.0.0.1:1';
  expect(code, err).toBe(3);
  expect(JSON.parse(out)).toMatchObject({ verdict: 'invalid', exitCode: 3, reasons: [{ code: 'not-measured', text: expect.stringContaining(nothing) }] });
  const [name] = readdirSync(join(folder, 'reports')) as [string];
  for (const report of ['junit.xml', 'summary.md', 'verdict.json', 'index.html'])
    expect(readFileSync(join(folder, 'reports', name, report), 'utf8'), report).toContain(nothing);
});

test('what cannot be run: a sentence and a code, and no run folder', async () => {
  const good = written('good.json', short);
  const nobody = '--target=http://127.0.0.1:1';
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[written('thresholds.json', { ...short, thresholds: [{ metric: 'failed', expression: 'rate<0.1x' }] })], 2, /rate<0\.1x\n *\^/],
    [[written('field.json', { ...short, fleet: { ...short.fleet, devises: 3 } })], 2, /devises/],
    [[written('broken.json', '{"name": ')], 2, /broken\.json/],
    [[join(folder, 'missing.json')], 2, /missing\.json/],
    [[good, '--set', 'fleet.devces=3'], 2, /did you mean "devices"/],
    [[good, nobody, `--credentials=${written('half.json', { account_id: 'a' })}`], 2, /half\.json, account 1: "secret"/],
    [[good, nobody, `--credentials=${join(folder, 'nowhere.json')}`], 2, /nowhere\.json cannot be read/],
  ];
  for (const [args, expected, message] of cases) {
    const { code, out, err } = await run(args);
    expect(err).toMatch(message);
    expect([code, out], args.join(' ')).toEqual([expected, '']);
  }
  expect(existsSync(join(folder, 'reports')) ? readdirSync(join(folder, 'reports')) : []).toEqual([]);
});
