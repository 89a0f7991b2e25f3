/** Whole runs with listeners, and what has to be seen of a service that fails them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Verdict } from '#harness/run-result.ts';
import { ended, said, startScenario, startTwin } from './scenario-child.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-streams-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const startStreams = (...args: readonly string[]) => startScenario('streams-smoke', `--out=${folder}`, ...args);

function verdictOf(out: string): Verdict & { readonly streams: NonNullable<Verdict['streams']> } {
  const verdict = JSON.parse(out) as Verdict;
  expect(verdict.streams).toBeDefined();
  return verdict as ReturnType<typeof verdictOf>;
}

test('streams-smoke: held, nothing lost, and a report that shows it', async () => {
  const { code, out, err } = await ended(startStreams());
  // A shared machine may spoil the measurement; it may not lose a change.
  expect([0, 3], err).toContain(code);
  const { streams } = verdictOf(out);
  expect(streams).toMatchObject({ heldMax: 200, lost: 0, changesLost: 0, changesDuplicated: 0, changesReordered: 0, changesLeaked: 0 });
  expect(streams.changesExpected).toBeGreaterThan(1000);
  expect(streams.changesSeen).toBe(streams.changesExpected);
  const page = readFileSync(/^ *report +(.+)$/m.exec(err)?.[1] as string, 'utf8');
  for (const part of ['Streams held', 'Delivery lag', 'changes_lost']) expect(page).toContain(part);
});

test.each(['sse', 'graphql'])('told as %s: the same changes, each once', async (format) => {
  const way = JSON.stringify({ kind: 'stream', heartbeatMs: 1000, as: format });
  const { code, out, err } = await ended(startStreams('--set', `streams.readers.devices.way=${way}`));
  expect([0, 3], err).toContain(code);
  const { streams } = verdictOf(out);
  expect(streams).toMatchObject({ heldMax: 200, lost: 0, changesLost: 0, changesDuplicated: 0, changesReordered: 0, changesLeaked: 0 });
  expect(streams.changesSeen).toBe(streams.changesExpected);
  expect(streams.changesExpected).toBeGreaterThan(1000);
});

describe('a service that fails its listeners: fail, whatever else', () => {
  test.each<[string, (streams: NonNullable<Verdict['streams']>) => number | null]>([
    ['skips-a-change', ({ changesLost }) => changesLost],
    ['mixes-users', ({ changesLeaked }) => changesLeaked],
    ['deaf', ({ changesLost }) => changesLost],
  ])('%s', async (fault, count) => {
    const { twin, args } = await startTwin(fault, folder, 2);
    try {
      const { code, out, err } = await ended(startStreams(...args));
      expect(code, err).toBe(1);
      const { streams, run, reasons } = verdictOf(out);
      expect(count(streams)).toBeGreaterThan(0);
      if (fault === 'deaf') {
        const lines = readFileSync(join(folder, run, 'evidence', 'reader-changes.ndjson'), 'utf8')
          .trim()
          .split('\n');
        expect(JSON.parse(lines[0] as string)).toMatchObject({
          kind: 'reader',
          answer: { kind: 'confirmed' },
          streamExcerpts: [expect.stringContaining('"c"')],
        });
        expect(reasons.find(({ code }) => code === 'changes-lost')?.text).toContain('evidence/*-changes.ndjson');
      }
    } finally {
      await twin.stop();
    }
  });
  test('no-heartbeats: what is silent for too long is missed', async () => {
    const { twin, args } = await startTwin('no-heartbeats', folder, 2);
    try {
      const thresholds = JSON.stringify([{ metric: 'heartbeats_missed', expression: 'count==0' }]);
      const { code, err } = await ended(startStreams(...args, '--set', `thresholds=${thresholds}`, '--set', 'phases.hold.rate.ratePerSecond=2'));
      expect(code, err).toBe(1);
    } finally {
      await twin.stop();
    }
  });
});

test('a node is killed under load, comes back on its port, and nothing that was acknowledged is missing from any listener', async () => {
  const fault = JSON.stringify([{ kind: 'kill-node', phase: 'hold', atSeconds: 2 }]);
  const thresholds = JSON.stringify([
    { metric: 'streams_lost', expression: 'count>=1' },
    { metric: 'changes_lost', expression: 'count==0' },
    { metric: 'changes_duplicated', expression: 'count==0' },
  ]);
  const { code, out, err } = await ended(
    startStreams('--set', `faults=${fault}`, '--set', `thresholds=${thresholds}`, '--set', 'phases.hold.durationSeconds=12', '--set', 'fleet.timeoutMs=3000'),
  );
  expect([0, 3], err).toContain(code);
  const { streams } = verdictOf(out);
  expect(streams.lost).toBeGreaterThan(0);
  expect(streams).toMatchObject({ changesLost: 0, changesDuplicated: 0, changesLeaked: 0 });
});

test('behind a real HAProxy with the PROXY protocol, all streams dropped at once: the herd is back, and nothing is lost', async () => {
  const fault = JSON.stringify([{ kind: 'drop-connections', how: 'fin', phase: 'hold', atSeconds: 2 }]);
  const { code, out, err } = await ended(
    startStreams(
      '--set',
      'system.balancer={"kind":"haproxy","proxyHeader":"v2"}',
      '--set',
      `faults=${fault}`,
      '--set',
      'thresholds=[{"metric":"resume_ms","expression":"p(99)<60000"},{"metric":"changes_lost","expression":"count==0"}]',
      '--set',
      'phases.hold.durationSeconds=8',
    ),
  );
  expect([0, 3], err).toContain(code);
  expect(verdictOf(out).streams).toMatchObject({ changesLost: 0, changesDuplicated: 0, changesLeaked: 0, heldMax: 200 });
  expect(verdictOf(out).streams.lost).toBeGreaterThan(100);
});

test('Ctrl-C while streams are held: what was measured is reported', async () => {
  const child = startStreams();
  const end = ended(child);
  await said(child, / hold /);
  child.kill('SIGINT');
  const { code, out, err } = await end;
  expect(code, err).toBe(130);
  expect(verdictOf(out).streams).toMatchObject({ changesLost: 0, heldMax: 200 });
});
