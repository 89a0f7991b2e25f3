/** The rules that measure, and their twins: one after the other, while nothing else is tested. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from './client.ts';
import { startRuler } from './ruler.ts';
import { rules } from './rules.ts';
import { runRules } from './run.ts';
import { askTwin } from './seen-red.ts';
import { startOwnService } from './service.ts';

const alone = rules.filter(({ isAlone }) => isAlone === true);
let ruler: Awaited<ReturnType<typeof startRuler>>;
beforeAll(async () => {
  ruler = await startRuler();
});
afterAll(() => ruler.stop());

test('the service keeps them, as far as this machine can tell', async () => {
  const service = await startOwnService(undefined);
  const client = createClient(service.url);
  try {
    const outcomes = await runRules({
      rules: alone,
      asked: [{ client, accounts: service.accounts, service }],
      ruler,
      strict: false,
      signal: new AbortController().signal,
      onOutcome: () => undefined,
    });
    expect(outcomes).toHaveLength(alone.length);
    expect(outcomes.filter(({ outcome }) => outcome !== 'holds' && outcome !== 'untold')).toEqual([]);
  } finally {
    await client.close();
    await service.stop();
  }
});

test.each(alone.flatMap(({ id, redBy }) => redBy.map((twin) => [id, twin] as const)))('%s is red with twin %s', async (id, twin) => {
  const [outcome] = await askTwin({ twin, ids: [id], ruler });
  expect(outcome, JSON.stringify(outcome)).toMatchObject({ outcome: 'broken' });
});
