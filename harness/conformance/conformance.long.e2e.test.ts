/** The rules that take minutes on a slow machine. Their twins are seen red in conformance.e2e.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from './client.ts';
import { startRuler } from './ruler.ts';
import { rules } from './rules.ts';
import { runRules } from './run.ts';
import { startOwnService } from './service.ts';

const long = rules.filter(({ isLong }) => isLong === true);
let ruler: Awaited<ReturnType<typeof startRuler>>;
beforeAll(async () => {
  ruler = await startRuler();
});
afterAll(() => ruler.stop());

test('the service keeps them, as far as this machine can tell', { timeout: 1_800_000 }, async () => {
  const service = await startOwnService(undefined);
  const client = createClient(service.url);
  try {
    const outcomes = await runRules({
      rules: long,
      asked: [{ client, accounts: service.accounts, service }],
      ruler,
      strict: false,
      signal: new AbortController().signal,
      onOutcome: () => undefined,
    });
    expect(outcomes).toHaveLength(long.length);
    expect(long.length).toBeGreaterThan(0);
    expect(outcomes.filter(({ outcome }) => outcome !== 'holds' && outcome !== 'untold')).toEqual([]);
  } finally {
    await client.close();
    await service.stop();
  }
});
