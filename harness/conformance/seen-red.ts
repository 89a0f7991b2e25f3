/** Asks rules of a twin in this process, as `npm run conformance -- R3 --twin NAME` does: for tests, that ask dozens. */
import { createClient } from './client.ts';
import type { Ruler } from './ruler.ts';
import { rules } from './rules.ts';
import { type RuleOutcome, runRules } from './run.ts';
import { startOwnService } from './service.ts';

export type TwinAsking = { readonly twin: string; readonly ids: readonly string[]; readonly ruler: Ruler };

export async function askTwin({ twin, ids, ruler }: TwinAsking): Promise<readonly RuleOutcome[]> {
  const service = await startOwnService(twin);
  const client = createClient(service.url);
  try {
    return await runRules({
      rules: rules.filter(({ id }) => ids.includes(id)),
      asked: [{ client, accounts: service.accounts, service }],
      ruler,
      strict: false,
      signal: new AbortController().signal,
      onOutcome: () => undefined,
    });
  } finally {
    await client.close();
    await service.stop();
  }
}
