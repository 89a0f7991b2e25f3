/** Whole runs with receivers of webhooks, and what has to be seen of a service that fails them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WebhookEvidence } from '#harness/ledger/webhook-evidence.ts';
import type { Verdict } from '#harness/run-result.ts';
import { ended, said, startScenario, startTwin } from './scenario-child.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-webhooks-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const startWebhooks = (...args: readonly string[]) => startScenario('webhooks-smoke', `--out=${folder}`, ...args);

type Told = NonNullable<Verdict['webhooks']>;
function verdictOf(out: string): Verdict & { readonly webhooks: Told } {
  const verdict = JSON.parse(out) as Verdict;
  expect(verdict.webhooks).toBeDefined();
  return verdict as ReturnType<typeof verdictOf>;
}
const reportOf = (err: string): string => /^ *report +(.+)$/m.exec(err)?.[1] as string;

test('webhooks-smoke: everything is told to those who take it, the rest is accounted for, and a report shows it', async () => {
  const { code, out, err } = await ended(startWebhooks());
  // A shared machine may spoil the measurement; it may not lose a webhook.
  expect([0, 3], err).toContain(code);
  const { webhooks } = verdictOf(out);
  expect(webhooks.good).toMatchObject({ attempts: 240, accepted: 240, deliveries: 240, expected: 240, lost: 0, duplicated: 0, leaked: 0, unsigned: 0 });
  expect(webhooks.recovers).toMatchObject({ accepted: 240, deliveries: 240, expected: 240, lost: 0, duplicated: 0 });
  expect(webhooks.recovers?.repeated).toBeGreaterThan(0);
  for (const name of ['hangs', 'refuses']) {
    expect(webhooks[name], name).toMatchObject({ accepted: 0, expected: 240, lost: 0, unsigned: 0 });
    expect(webhooks[name]?.deliveries, name).toBeLessThan(240);
  }
  const page = readFileSync(reportOf(err), 'utf8');
  for (const part of ['Ledger of webhooks', 'webhook_delay_ms', 'Webhook delay of good']) expect(page).toContain(part);
});

/** What the scenario's own settings are to a service that this run did not start. */
const env = {
  HEADROOM_WEBHOOK_ALLOW_NETWORKS: '127.0.0.1/32',
  HEADROOM_WEBHOOK_TIMEOUT_MS: '1000',
  HEADROOM_WEBHOOK_SCHEDULE_MS: '0,500,500,500,500,500,500,500',
  HEADROOM_WEBHOOK_BREAKER_FAILURES: '5',
  HEADROOM_WEBHOOK_BREAKER_MS: '1000',
};

const brokenOf = ({ thresholds }: Verdict): readonly string[] => thresholds.filter(({ holds }) => holds === 'no').map(({ metric }) => metric);

describe('a service that fails its receivers: fail, by the gate that is about it', () => {
  test.each<[string, string, (webhooks: Told) => number | null | undefined]>([
    ['forgets-webhooks', 'webhooks_lost', ({ good }) => good?.lost],
    // Those who hang would not be missed: the service calls delivered what they never accepted.
    ['settles-before-sending', 'webhooks_lost', ({ hangs }) => hangs?.lost],
    ['signs-another-time', 'webhooks_unsigned', ({ good }) => good?.unsigned],
    ['renames-retries', 'webhooks_duplicated', ({ recovers }) => recovers?.duplicated],
    ['tells-neighbours', 'webhooks_leaked', ({ good }) => good?.leaked],
    ['crowds-endpoints', 'webhook_open_max', ({ hangs }) => hangs?.openMax],
    ['waits-for-each', 'webhook_delay_ms', ({ good }) => good?.deliveries],
  ])('%s breaks %s', async (fault, metric, count) => {
    const { twin, args } = await startTwin(fault, folder, 2, env);
    try {
      const { code, out, err } = await ended(startWebhooks(...args));
      expect(code, err).toBe(1);
      const verdict = verdictOf(out);
      expect(brokenOf(verdict), err).toContain(metric);
      expect(count(verdict.webhooks)).toBeGreaterThan(0);
      if (metric === 'webhooks_lost') {
        const lines = readFileSync(join(folder, verdict.run, 'evidence', 'lost-webhooks.ndjson'), 'utf8')
          .trim()
          .split('\n');
        const told = JSON.parse(lines[0] as string) as WebhookEvidence;
        expect(told).toMatchObject({ kind: 'lost', deliveriesExcerpts: [expect.any(String), expect.any(String)] });
        // An endpoint that does not take everything is accused by the event's id alone.
        expect(told.eventId ?? told.times.acknowledgedAt).toBeDefined();
      }
    } finally {
      await twin.stop();
    }
  });
});

test('a service that may not tell this machine: a sentence says what lets it', async () => {
  const { twin, args } = await startTwin('renames-retries', folder, 2);
  try {
    const { code, err } = await ended(startWebhooks(...args));
    expect(code).not.toBe(0);
    expect(err).toContain('--webhook-allow-networks=127.0.0.1/32');
  } finally {
    await twin.stop();
  }
});

test('Ctrl-C while webhooks are told: what came until then is reported', async () => {
  const child = startWebhooks('--set', 'phases.load.durationSeconds=60');
  const end = ended(child);
  await said(child, / load /);
  child.kill('SIGINT');
  const { code, out, err } = await end;
  expect(code, err).toBe(130);
  expect(verdictOf(out).webhooks.good).toMatchObject({ lost: 0, leaked: 0, unsigned: 0 });
});
