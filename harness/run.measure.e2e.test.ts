/** Whole runs with real processes: what a user sees, and what must never be seen. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Evidence } from '#harness/ledger/evidence.ts';
import type { Verdict } from '#harness/run-result.ts';
import { ended, said, startScenario, startTwin } from './scenario-child.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-run-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const startSmoke = (...args: readonly string[]) => startScenario('smoke', `--out=${folder}`, ...args);

test('smoke: the verdict alone on stdout, and a folder with every report', async () => {
  const { code, out, err } = await ended(startSmoke());
  const verdict = JSON.parse(out) as Verdict;
  // A shared machine may spoil the measurement; it may not lose an event.
  expect([0, 3], err).toContain(code);
  expect(verdict.exitCode).toBe(code);
  expect(verdict.totals).toMatchObject({ lost: 0, duplicated: 0, reordered: 0 });
  expect(verdict.totals.fired).toBeGreaterThan(500);
  const runFolder = /^ *report +(.+)\/index\.html$/m.exec(err)?.[1] as string;
  for (const name of ['run.json', 'verdict.json', 'summary.md', 'junit.xml', 'latency.hdr', 'index.html'])
    expect(existsSync(join(runFolder, name)), name).toBe(true);
  expect(JSON.parse(readFileSync(join(runFolder, 'verdict.json'), 'utf8'))).toEqual(verdict);
});

test('a service that acknowledges and drops: fail, whatever else', async () => {
  const { twin, args } = await startTwin('drops-acknowledged', folder);
  try {
    const { code, out, err } = await ended(startSmoke(...args));
    expect(code, err).toBe(1);
    const verdict = JSON.parse(out) as Verdict;
    expect(verdict.totals.lost).toBeGreaterThan(0);
    const reason = verdict.reasons.find((one) => one.code === 'events-lost')?.text;
    expect(reason).toMatch(/the export does not list them, and the history of their devices, asked after it, does not have them \(\w{12}p?-/);
    const evidence = readFileSync(join(folder, verdict.run, 'evidence', 'lost-events.ndjson'), 'utf8')
      .trim()
      .split('\n');
    for (const line of evidence) {
      const told = JSON.parse(line) as Evidence;
      expect(told).toMatchObject({ kind: 'lost', answer: { kind: 'confirmed' } });
      const { plannedMs = Number.NaN, sentMs = Number.NaN, acknowledgedMs = Number.NaN, sentAt, acknowledgedAt } = told.times;
      expect(plannedMs).toBeLessThanOrEqual(sentMs + 1);
      expect(sentMs).toBeLessThanOrEqual(acknowledgedMs);
      expect(Date.parse(acknowledgedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(sentAt ?? ''));
      expect(reason).toContain(told.eventId.slice(0, 12));
      expect(told.exportLines.join()).not.toContain(`"${told.eventId}"`);
    }
  } finally {
    await twin.stop();
  }
});

test('a service whose export leaves out what it has: nothing is lost, and the export is said to be not whole', async () => {
  const { twin, args } = await startTwin('exports-gaps', folder);
  try {
    const { code, out, err } = await ended(startSmoke(...args));
    expect([0, 3], err).toContain(code);
    const { totals, notes } = JSON.parse(out) as Verdict;
    expect(totals.lost).toBe(0);
    expect(notes.map((note) => note.code)).toContain('export-unlisted');
  } finally {
    await twin.stop();
  }
});

test('a generator that was stopped for 600 ms never passes', async () => {
  const thresholds = 'thresholds=[{"metric":"response_ms{phase:load}","expression":"p(99)<1000"}]';
  const child = startSmoke('--set', thresholds, '--set', 'phases.load.durationSeconds=12');
  const end = ended(child);
  await said(child, / load /);
  child.kill('SIGSTOP');
  await sleep(600);
  child.kill('SIGCONT');
  const { code, err } = await end;
  expect(code, err).toBe(3);
});

test('Ctrl-C: what was measured is reported, and nothing is left behind', async () => {
  const child = startSmoke();
  const end = ended(child);
  await said(child, /warm-up/);
  child.kill('SIGINT');
  const { code, out, err } = await end;
  expect(code, err).toBe(130);
  const verdict = JSON.parse(out) as Verdict;
  expect(verdict.verdict).toBe('interrupted');
  expect(verdict.totals.lost).toBe(0);
});
