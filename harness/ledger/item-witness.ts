/**
 * The second witness of items: what the pages of the logs say against the service is asked for once more, after a pause, as a listener gets it. Only what both say is told.
 * A leak needs none: who was given another's change has its bytes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccusedReader, Comparison } from '#harness/engine/streams/messages.ts';
import { type Population, recipientOf, userOfArrival } from '#harness/target/item-laws.ts';
import type { ItemAudit, ItemSuspect } from './item-audit.ts';
import type { LoggedChange } from './read-logs.ts';
import type { Answer } from './second-witness.ts';
import type { StreamedLog } from './streamed-logs.ts';

export type HeardItem = ItemSuspect & { readonly users: readonly number[]; readonly answer: Answer };
export type HeardReader = AccusedReader & { readonly answer: Answer };

export type ItemsHeard = {
  readonly items: readonly HeardItem[];
  readonly readers: readonly HeardReader[];
  /** The second witness's answers, of each user that was asked for. */
  readonly streamed: ReadonlyMap<number, StreamedLog>;
};

export type ItemWitnessInput = {
  readonly first: ItemAudit;
  /** An empty one over the same plan. */
  readonly again: ItemAudit;
  readonly compared: Comparison;
  readonly population: Population;
  readonly pauseMs: number;
  readonly read: (users: readonly number[]) => Promise<ReadonlyMap<number, StreamedLog>>;
  readonly compare: (logs: ReadonlyMap<number, readonly LoggedChange[]>) => Promise<Comparison>;
};

/** Call it once the first audit is finished; where nobody is accused nobody is asked. */
export async function hearItemsAgain(input: ItemWitnessInput): Promise<ItemsHeard> {
  const { first, compared, population, pauseMs } = input;
  const suspects = first.suspects().map((one) => ({ ...one, users: usersOf(one, population) }));
  const users = new Set([...suspects.flatMap((one) => one.users), ...compared.accused.map(({ user }) => user)]);
  if (users.size === 0) return { items: [], readers: [], streamed: new Map() };
  await sleep(pauseMs);
  const streamed = await input.read([...users]);
  const logs = new Map([...streamed].flatMap(([user, log]) => ('changes' in log ? [[user, log.changes] as const] : [])));
  return { items: hearItems(input.again, suspects, { streamed, logs }), readers: await hearReaders(input, { streamed, logs }), streamed };
}

/** In whose logs a change may stand: a share is in the recipient's, and nobody knows here which second promise is one. */
function usersOf({ arrival, promised }: ItemSuspect, population: Population): readonly number[] {
  const owner = userOfArrival(arrival, population);
  return promised === 'write' ? [owner] : [owner, recipientOf(owner, population)];
}

type Read = Pick<ItemsHeard, 'streamed'> & { readonly logs: ReadonlyMap<number, readonly LoggedChange[]> };

function hearItems(again: ItemAudit, suspects: readonly Omit<HeardItem, 'answer'>[], { streamed, logs }: Read): readonly HeardItem[] {
  for (const [user, changes] of logs) for (const change of changes) again.see(user, change);
  return suspects.map((one) => ({ ...one, answer: unaskedOf(one.users, streamed) ?? { kind: again.confirms(one) ? 'confirmed' : 'taken-back' } }));
}

function unaskedOf(users: readonly number[], streamed: Read['streamed']): Answer | undefined {
  for (const user of users) {
    const log = streamed.get(user);
    if (log === undefined || 'trouble' in log) return { kind: 'unasked', why: log?.trouble ?? `the log of user ${user} was not read again` };
  }
  return undefined;
}

/** A reader is compared with the log as the second witness has it: what it lost by both is lost. */
async function hearReaders({ compared, compare }: ItemWitnessInput, { streamed, logs }: Read): Promise<readonly HeardReader[]> {
  if (compared.accused.length === 0) return [];
  const again = await compare(logs);
  const found = new Map(again.accused.map((one) => [`${one.reader} ${one.index}`, one]));
  return compared.accused.flatMap((one) => {
    const unasked = unaskedOf([one.user], streamed);
    if (unasked !== undefined) return [{ ...one, answer: unasked }];
    const second = found.get(`${one.reader} ${one.index}`);
    const [lost, duplicated] = [Math.min(one.lost, second?.lost ?? 0), Math.min(one.duplicated, second?.duplicated ?? 0)];
    const told: HeardReader = { ...one, lost, duplicated, answer: { kind: 'confirmed' } };
    const back: HeardReader = { ...one, lost: one.lost - lost, duplicated: one.duplicated - duplicated, answer: { kind: 'taken-back' } };
    return [told, back].filter((each) => each.lost + each.duplicated > 0);
  });
}
