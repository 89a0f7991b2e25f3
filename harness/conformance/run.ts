/** Asks the rules: several at once, each of a service that no other asks meanwhile, and those that measure alone, so that a break is one rule's and not a neighbour's. */
import { randomBytes } from 'node:crypto';
import type { AccountCredentials } from '#harness/topology/provision.ts';
import type { Client } from './client.ts';
import { Broken, howToGet, type OwnService, type Rule, Unaskable, Untold } from './rule.ts';
import type { Ruler } from './ruler.ts';
import { timingOf } from './timing.ts';

export type RuleOutcome = {
  readonly rule: string;
  readonly title: string;
  /** `untold`: late or less than it should be, on a machine that may be the reason itself. */
  readonly outcome: 'holds' | 'broken' | 'untold' | 'skipped' | 'error';
  /** Why it is not `holds`. */
  readonly text: string;
  readonly milliseconds: number;
};

/** Whom rules are asked of, one at a time. */
export type Asked = {
  readonly client: Client;
  readonly accounts: readonly AccountCredentials[];
  readonly service: OwnService | undefined;
};

export type RunRulesInput = {
  readonly rules: readonly Rule[];
  /** As many rules are asked at once as there are of these. */
  readonly asked: readonly [Asked, ...Asked[]];
  readonly ruler: Ruler;
  readonly strict: boolean;
  readonly signal: AbortSignal;
  readonly onOutcome: (outcome: RuleOutcome) => void;
};

/** Resolves with what was asked until the end or the signal, in the order of the rules. */
export async function runRules(input: RunRulesInput): Promise<readonly RuleOutcome[]> {
  const { rules, asked, signal } = input;
  const outcomes = new Map<Rule, RuleOutcome>();
  const askEach = async (waiting: Rule[], whom: Asked): Promise<void> => {
    for (let rule = waiting.shift(); rule !== undefined && !signal.aborted; rule = waiting.shift()) {
      const outcome = await askOne(rule, whom, input);
      outcomes.set(rule, outcome);
      input.onOutcome(outcome);
    }
  };
  const beside = rules.filter(({ isAlone }) => isAlone !== true);
  await Promise.all(asked.map((whom) => askEach(beside, whom)));
  await askEach(
    rules.filter(({ isAlone }) => isAlone === true),
    asked[0],
  );
  return rules.flatMap((rule) => outcomes.get(rule) ?? []);
}

async function askOne(rule: Rule, asked: Asked, input: RunRulesInput): Promise<RuleOutcome> {
  const startedMs = performance.now();
  const { outcome, text } = await ask(rule, asked, input);
  return { rule: rule.id, title: rule.title, outcome, text, milliseconds: Math.round(performance.now() - startedMs) };
}

async function ask(rule: Rule, { client, accounts, service }: Asked, { ruler, strict }: RunRulesInput): Promise<Pick<RuleOutcome, 'outcome' | 'text'>> {
  const [account, stranger] = accounts;
  if (account === undefined) return { outcome: 'error', text: 'there is no account to ask with' };
  const missing = rule.needs.find((need) => (need === 'own service' ? service === undefined : stranger === undefined));
  if (missing !== undefined) return { outcome: 'skipped', text: howToGet[missing] };
  const mark = randomBytes(6).toString('base64url').replaceAll('-', 'x');
  const timing = timingOf(ruler, { sinceMs: performance.now(), strict });
  try {
    await rule.check({ ...timing, client, account, stranger, service, name: (what) => `${rule.id}-${mark}-${what}` });
    return { outcome: 'holds', text: '' };
  } catch (error) {
    if (error instanceof Unaskable) return { outcome: 'skipped', text: error.message };
    if (error instanceof Untold) return { outcome: 'untold', text: error.message };
    if (error instanceof Broken) return { outcome: 'broken', text: error.message };
    return { outcome: 'error', text: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}
