/**
 * A plan that no machine holds ends early with a rate, and --fit finds one: true on a machine of any speed, since every figure is compared with another of the same machine.
 * The only bound on time is the plan's own length.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Verdict } from '#harness/run-result.ts';
import { type Ended, ended, said, startScenario } from '#harness/scenario-child.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-fit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As long as a plan of a million a second may be; a run that is not ended is measured in the end, and seen by that. */
const planSeconds = 60;
/** A warm-up at the full rate. Batches cost the service far more than the generator, so that what the one can the other cannot. */
const overloaded = (ratePerSecond: number): readonly string[] => [
  '--set',
  'fleet.eventsPerBatch=20',
  `--out=${folder}`,
  '--set',
  `phases.warm-up={"name":"warm-up","measured":false,"durationSeconds":${planSeconds},"rate":{"kind":"constant","ratePerSecond":${ratePerSecond}}}`,
  '--set',
  `phases.load.rate.ratePerSecond=${ratePerSecond}`,
  '--set',
  'phases.load.durationSeconds=4',
];

/** A rate that was said and one that was found belong together. */
const confirmedWithin = 4;

/** `this machine holds about 4,200/s of this plan`, in arrivals a second. */
function heldBy({ reasons }: Verdict): number {
  const rate = /holds (?:at most )?about ([\d,]+(?:\.\d+)?)\/s of this plan/.exec(reasons[0]?.text ?? '')?.[1];
  return Number(rate?.replaceAll(',', ''));
}

function expectUnfit(verdict: Verdict, code: number | null, err: string): void {
  expect(code, err).toBe(3);
  expect(verdict).toMatchObject({ verdict: 'invalid', reasons: [{ code: 'machine-too-small' }] });
  expect(verdict.reasons[0]?.text).toMatch(/; npm run scenario -- smoke .*--fit$/);
  // It accuses nobody of what it has not read.
  expect(verdict.totals).toMatchObject({ lost: null, duplicated: null, reordered: null });
  expect(verdict.thresholds.filter(({ holds }) => holds === 'no')).toEqual([]);
}

const reported = (): readonly string[] => readdirSync(folder).flatMap((run) => readdirSync(join(folder, run)));

const verdictOf = ({ out, err }: Ended): Verdict => {
  expect(out, err).not.toBe('');
  return JSON.parse(out) as Verdict;
};

test('a plan of 100 times what any machine holds is ended before the service is started; what the generator can is ended in the warm-up; and --fit confirms the rate', async () => {
  const hopeless = await ended(startScenario('smoke', ...overloaded(1_000_000)));
  expectUnfit(verdictOf(hopeless), hopeless.code, hopeless.err);
  const atMost = heldBy(verdictOf(hopeless));
  expect(atMost, hopeless.err).toBeGreaterThan(0);
  expect(verdictOf(hopeless).totals.planned).toBe(0);
  expect(reported()).toEqual(expect.arrayContaining(['run.json', 'verdict.json', 'junit.xml', 'index.html']));

  // The generator can, and has the service beside it now, which takes several times as much.
  const tooMuch = await ended(startScenario('smoke', ...overloaded(atMost)));
  expectUnfit(verdictOf(tooMuch), tooMuch.code, tooMuch.err);
  const about = heldBy(verdictOf(tooMuch));
  expect(verdictOf(tooMuch).totals.planned).toBeLessThan(planSeconds * atMost);

  const fit = await ended(startScenario('smoke', ...overloaded(atMost), '--set', 'phases.warm-up.durationSeconds=3', '--fit'));
  const fitted = verdictOf(fit);
  expect([0, 1, 3], fit.err).toContain(fit.code);
  expect(fit.err).toContain('looking for the rate that fits this machine');
  expect(fit.err).toMatch(/smoke × [\d.e-]+: /);
  const driven = fitted.fit?.peakPerSecond ?? Number.NaN;
  // Other programs come and go between two runs: the same rate to a factor, and below what the generator alone could.
  expect(driven, fit.err).toBeLessThan(atMost);
  expect(driven, fit.err).toBeGreaterThan(about / confirmedWithin);
  expect(driven, fit.err).toBeLessThan(about * confirmedWithin);
  expect(fitted.totals.lost, fit.err).toBe(0);
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
