/**
 * A plan that no machine holds ends early with a rate, and --fit finds one: true on a machine of any speed, since every figure is compared with another of the same machine.
 * The only bound on time is the plan's own length.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Verdict } from '#harness/run-result.ts';
import { ended, said, startScenario } from '#harness/scenario-child.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-fit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Longer than any machine takes to say that it cannot hold it, so that a run that goes on to its end is seen. */
const planSeconds = 600;
/** A warm-up at the full rate, and so long that only an early end lets the test end. */
const overloaded = (ratePerSecond: number): readonly string[] => [
  `--out=${folder}`,
  '--set',
  `phases.warm-up={"name":"warm-up","measured":false,"durationSeconds":${planSeconds},"rate":{"kind":"constant","ratePerSecond":${ratePerSecond}}}`,
  '--set',
  `phases.load.rate.ratePerSecond=${ratePerSecond}`,
  '--set',
  'phases.load.durationSeconds=4',
];

/** `this machine holds about 4,200/s of this plan`, in arrivals a second. */
function heldBy({ reasons }: Verdict): number {
  const rate = /holds (?:at most )?about ([\d,]+(?:\.\d+)?)\/s of this plan/.exec(reasons[0]?.text ?? '')?.[1];
  return Number(rate?.replaceAll(',', ''));
}

function expectUnfit(verdict: Verdict, code: number | null, err: string): void {
  expect(code, err).toBe(3);
  expect(verdict).toMatchObject({ verdict: 'invalid', reasons: [{ code: 'machine-too-small' }] });
  expect(verdict.reasons[0]?.text).toMatch(/; npm run scenario -- smoke --fit$/);
  // It accuses nobody of what it has not read.
  expect(verdict.totals).toMatchObject({ lost: null, duplicated: null, reordered: null });
  expect(verdict.thresholds.filter(({ holds }) => holds === 'no')).toEqual([]);
}

const reported = (): readonly string[] => readdirSync(folder).flatMap((run) => readdirSync(join(folder, run)));

test('a plan of 100 times what any machine holds: said before the service is started, and the rate that --fit finds is below what was said', async () => {
  const first = await ended(startScenario('smoke', ...overloaded(1_000_000)));
  const unfit = JSON.parse(first.out) as Verdict;
  expectUnfit(unfit, first.code, first.err);
  const atMost = heldBy(unfit);
  expect(atMost).toBeGreaterThan(0);
  expect(reported()).toEqual(expect.arrayContaining(['run.json', 'verdict.json', 'junit.xml', 'index.html']));
  // The same plan in its proportions, of a size that the search need not begin in the dust for.
  const fit = await ended(startScenario('smoke', ...overloaded(2 * atMost), '--set', 'phases.warm-up.durationSeconds=3', '--fit'));
  const fitted = JSON.parse(fit.out) as Verdict;
  expect([0, 1, 3], fit.err).toContain(fit.code);
  expect(fit.err).toContain('looking for the rate that fits this machine');
  // All of twice the generator's most cannot be held: a factor was needed, and it is said.
  expect(fitted.fit?.factor, fit.err).toBeLessThan(1);
  expect(fitted.fit?.peakPerSecond).toBeLessThan(atMost);
  expect(fit.err).toMatch(/smoke × 0\.\d+: /);
  expect(fitted.reasons.map(({ code }) => code)).not.toContain('events-lost');
  expect(fitted.totals.lost).toBe(0);
});

test('Ctrl-C while the rate is looked for: 130, a sentence, no run and nothing left', async () => {
  const child = startScenario('smoke', `--out=${folder}`, '--fit');
  const end = ended(child);
  await said(child, /1 of at most/);
  child.kill('SIGINT');
  const { code, err } = await end;
  expect(code, err).toBe(130);
  expect(err).toContain('stopped while the rate that fits was looked for');
  expect(readdirSync(folder)).toEqual([]);
});
