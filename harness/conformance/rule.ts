/** What a rule is, and what its check may use. */
import type { AccountCredentials } from '#harness/topology/provision.ts';
import type { Client } from './client.ts';
import type { Timing } from './timing.ts';

export type OtherService = {
  readonly client: Client;
  readonly account: AccountCredentials;
  readonly proxyUrl: string | undefined;
  /** Of the admin listener, as JSON. */
  readonly admin: (asking: { readonly path: string; readonly body?: unknown; readonly expected: number }) => Promise<unknown>;
  readonly newAccount: (quotas: Readonly<Record<string, number>>) => Promise<AccountCredentials>;
  /** SIGKILL to one of its workers. */
  readonly killWorker: () => void;
  /** SIGTERM; resolves with the exit code. */
  readonly stop: () => Promise<number | null>;
  /** SIGKILL to everything. */
  readonly kill: () => Promise<void>;
  /** A folder that goes with it; its data stand in `data` there. */
  readonly folder: string;
  readonly data: string;
};

/** `data`: the data folder of another one, so that both are nodes over the same store. */
export type OtherSettings = {
  readonly data?: string;
  readonly workers?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly twinOtherwise?: string;
  readonly descriptorsMax?: number;
};

export type OwnService = {
  /** Another one of the same kind, with settings of its own; it is stopped at the end. `twinOtherwise`: where no twin was asked for, this one. */
  readonly withService: (settings: OtherSettings, use: (other: OtherService) => Promise<void>) => Promise<void>;
  /** SIGKILL to everything, then a new start on the same folder; the client goes on with the new address. */
  readonly killAndRestart: () => Promise<void>;
  /** Another one of the same kind, whose disk has a few megabytes. Throws Unaskable where this user may not mount one. */
  readonly withSmallDisk: (use: (other: { readonly client: Client; readonly account: AccountCredentials }) => Promise<void>) => Promise<void>;
};

export type RuleContext = Timing & {
  readonly client: Client;
  readonly account: AccountCredentials;
  /** Another account; missing where only one credential was given. */
  readonly stranger: AccountCredentials | undefined;
  readonly service: OwnService | undefined;
  /** Unique to this asking: names that nobody used before. */
  readonly name: (what: string) => string;
};

export type Need = 'own service' | 'second account';

/** What it takes where the need is not met. */
export const howToGet: Readonly<Record<Need, string>> = {
  'own service': 'it ends the process: run it without --target',
  'second account': 'it needs two accounts in the credentials file',
};

export type Rule = {
  readonly id: string;
  readonly title: string;
  /** What the contract promises, in our own words: lines that belong together. */
  readonly proves: readonly string[];
  /** How the check goes about it: the same. */
  readonly how: readonly string[];
  /** Faults of system/twins that it was seen red against; the first breaks it as a whole, the others a part that the first leaves. */
  readonly redBy: readonly [string, ...string[]];
  readonly needs: readonly Need[];
  /** It measures, or takes so much of the machine that others would measure it: it is asked while no other is. */
  readonly isAlone?: true;
  /** It takes minutes on a slow machine, however many are asked beside it. */
  readonly isLong?: true;
  readonly check: (context: RuleContext) => Promise<void>;
};

/** The service broke the rule. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/** The rule cannot be asked here; the message says what it would take. */
export class Unaskable extends Error {
  override readonly name = 'Unaskable';
}

/** What came may be the machine's doing rather than the service's; the message says how the machine was. Neither kept nor broken. */
export class Untold extends Error {
  override readonly name = 'Untold';
}

export function hold(condition: boolean, expected: string, came: unknown): asserts condition {
  if (!condition) throw new Broken(`expected ${expected}; came ${shown(came)}`);
}

const shown = (came: unknown): string => (typeof came === 'string' ? came : (JSON.stringify(came) ?? 'nothing')).slice(0, 400);
