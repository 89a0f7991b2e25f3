/** Asks the rules one after the other, so that a break is one rule's and not a neighbour's. */
import { randomBytes } from 'node:crypto';
import type { AccountCredentials } from '#harness/topology/provision.ts';
import type { Client } from './client.ts';
import { Broken, howToGet, type OwnService, type Rule, Unaskable } from './rule.ts';

export type RuleOutcome = {
  readonly rule: string;
  readonly title: string;
  readonly outcome: 'holds' | 'broken' | 'skipped' | 'error';
  /** Why it is not `holds`. */
  readonly text: string;
  readonly milliseconds: number;
};

export type RunRulesInput = {
  readonly rules: readonly Rule[];
  readonly client: Client;
  readonly accounts: readonly AccountCredentials[];
  readonly service: OwnService | undefined;
  readonly strict: boolean;
  readonly signal: AbortSignal;
  readonly onOutcome: (outcome: RuleOutcome) => void;
};

/** Resolves with what was asked until the end or the signal. */
export async function runRules(input: RunRulesInput): Promise<readonly RuleOutcome[]> {
  const outcomes: RuleOutcome[] = [];
  for (const rule of input.rules) {
    if (input.signal.aborted) break;
    const startedMs = performance.now();
    const { outcome, text } = await ask(rule, input);
    const result = { rule: rule.id, title: rule.title, outcome, text, milliseconds: Math.round(performance.now() - startedMs) };
    input.onOutcome(result);
    outcomes.push(result);
  }
  return outcomes;
}

async function ask(rule: Rule, { client, accounts, service, strict }: RunRulesInput): Promise<Pick<RuleOutcome, 'outcome' | 'text'>> {
  const [account, stranger] = accounts;
  if (account === undefined) return { outcome: 'error', text: 'there is no account to ask with' };
  const missing = rule.needs.find((need) => (need === 'own service' ? service === undefined : stranger === undefined));
  if (missing !== undefined) return { outcome: 'skipped', text: howToGet[missing] };
  const mark = randomBytes(6).toString('base64url').replaceAll('-', 'x');
  try {
    await rule.check({ client, account, stranger, service, boundMs: (stated) => (strict ? stated : 5 * stated), name: (what) => `${rule.id}-${mark}-${what}` });
    return { outcome: 'holds', text: '' };
  } catch (error) {
    if (error instanceof Unaskable) return { outcome: 'skipped', text: error.message };
    if (error instanceof Broken) return { outcome: 'broken', text: error.message };
    return { outcome: 'error', text: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}
