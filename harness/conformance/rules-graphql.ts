/** R63, R64: GraphQL over HTTP, and what its subscriptions carry. */
import { serverAudits } from 'graphql-http';
import { ask } from '#harness/graphql/ask.ts';
import { openSubscriber, type SubscribedFrame } from '#harness/graphql/subscriber.ts';
import { type AccountCredentials, publishableAuthorization, secretAuthorization } from '#harness/topology/provision.ts';
import { openStream, type ReadFrame } from '#harness/topology/stream-reader.ts';
import type { Client } from './client.ts';
import { readMetrics } from './reading.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { eventOf } from './rules-ingest.ts';
import { arrived, eventually, isChange, newUser, soon } from './user.ts';

const auditsInAll = 61;

const audits: Rule = {
  id: 'R63',
  title: `${auditsInAll} of ${auditsInAll} GraphQL-over-HTTP audits`,
  proves: [
    'The GraphQL route speaks GraphQL over HTTP as its specification has it: media types, methods, statuses, and how errors look.',
    'Nothing of that is judged by us: the audits are those of graphql-http.',
  ],
  how: [
    "All 61 server audits of the package are run against /graphql with the account's secret.",
    "Each has to end as ok; those of the specification's SHOULD and MAY count as much as its MUST.",
  ],
  redBy: ['graphql-is-always-fine'],
  needs: [],
  check: async ({ client, account }) => {
    const authorization = secretAuthorization(account);
    const fetchFn = (url: string, init: RequestInit = {}): Promise<Response> => fetch(url, { ...init, headers: { ...init.headers, authorization } });
    const all = serverAudits({ url: `${client.base()}/graphql`, fetchFn });
    hold(all.length === auditsInAll, `${auditsInAll} audits in graphql-http`, all.length);
    const failed: string[] = [];
    for (const audit of all) {
      const result = await audit.fn();
      if (result.status !== 'ok') failed.push(`${audit.id} ${audit.name}: ${result.status}, ${result.reason}`);
    }
    hold(failed.length === 0, `all ${auditsInAll} audits ok`, failed);
  },
};

/** A change as both ways tell it. */
const asSubscribed = ({ t, channel, key, version, cursor, at, data }: SubscribedFrame): string =>
  JSON.stringify([t, channel, key, version ?? null, cursor ?? null, at, data ?? null]);
const asStreamed = ({ t, ch, k, ver, c, ts, d }: ReadFrame): string => JSON.stringify([t, ch, k, ver ?? null, c ?? null, ts, d ?? null]);

const changes = 120;

async function holdSameChanges({ client, account, name }: RuleContext): Promise<void> {
  const user = await newUser(client, account, name('user'));
  for (let i = 0; i < 5; i++) await user.put('trips', `early${i}`, { i });
  const frames: SubscribedFrame[] = [];
  const { authorization } = user;
  const options = { url: client.base(), authorization, channels: ['sync:trips'], since: '-1' };
  const subscriber = openSubscriber({ ...options, onFrame: (frame) => void frames.push(frame) });
  const stream = await user.listen('ch=sync:trips&since=-1');
  await eventually('sync of the subscription', () => frames.some(({ t }) => t === 'sync'));
  const writing = Array.from({ length: changes }, (_, i) => i);
  for (const i of writing) await (i % 7 === 6 ? user.del('trips', `t${(i - 1) % 5}`) : user.put('trips', `t${i % 5}`, { i, text: 'ü\n"' }));
  await user.put('notes', 'n', { other: true });
  const last = await user.put('trips', 'last', { last: true });
  hold(last.status === 201, '201 for the last item', last.text);
  const isThere = (): boolean => frames.some(({ key }) => key === 'last') && stream.frames.some(({ k }) => k === 'last');
  await eventually('the last change both ways', isThere);
  const told = frames.filter(isChange).map(asSubscribed);
  const expected = stream.frames.filter(isChange).map(asStreamed);
  const at = expected.findIndex((text, i) => text !== told[i]);
  hold(told.length === expected.length && at < 0, `the stream's ${expected.length} changes, as ${expected[at] ?? 'they are'}`, told[at] ?? told.length);
  hold(subscriber.counts.repeats === 0 && subscriber.counts.gaps === 0, 'neither gaps nor repeats', subscriber.counts);
  const [from] = frames.filter(isChange);
  subscriber.close();
  stream.close();
  const again: SubscribedFrame[] = [];
  const resumed = openSubscriber({ ...options, since: from?.cursor ?? '', onFrame: (frame) => void again.push(frame) });
  await eventually('sync of the resumed one', () => again.some(({ t }) => t === 'sync'));
  const rest = again.filter(isChange).map(asSubscribed);
  hold(JSON.stringify(rest) === JSON.stringify(expected.slice(1)), 'all behind its cursor, once it resumes', rest.length);
  resumed.close();
}

async function holdSameStates({ client, account, name }: RuleContext): Promise<void> {
  const device = name('device');
  const token = await client.device(account, device);
  const authorization = secretAuthorization(account);
  const frames: SubscribedFrame[] = [];
  const channels = [`device:${device}`];
  const subscriber = openSubscriber({ url: client.base(), authorization, channels, onFrame: (frame) => void frames.push(frame) });
  const stream = openStream({ url: `${client.base()}/v1/stream?ch=device:${device}`, authorization });
  await arrived(stream, 'sync');
  await eventually('sync of the subscription', () => frames.some(({ t }) => t === 'sync'));
  for (let i = 0; i < 5; i++) {
    await client.send(token, [eventOf(name(`e${i}`), { recorded_at: new Date(Date.now() + i).toISOString() })]);
    await eventually('each location both ways', () => [...frames].some(holds(name(`e${i}`))) && stream.frames.some(holds(name(`e${i}`))));
  }
  hold(
    JSON.stringify(frames.filter(isChange).map(asSubscribed)) === JSON.stringify(stream.frames.filter(isChange).map(asStreamed)),
    'the states that the stream told',
    frames.filter(isChange).map(asSubscribed),
  );
  const shown = await ask({ url: client.base(), authorization, query: `{ location(device: "${device}") { eventId } }` });
  hold((shown.data?.location as { eventId?: string } | undefined)?.eventId === name('e4'), 'the latest location asked for', shown.text);
  subscriber.close();
  stream.close();
}

const holds =
  (id: string) =>
  (frame: object): boolean =>
    JSON.stringify(frame).includes(JSON.stringify(id));

const subscribers = 25;

/** Whoever goes is gone within a second, with or without a word, and its place can be taken. */
async function holdFreed(context: RuleContext): Promise<void> {
  const { client, account, name, service } = context;
  const { authorization } = await newUser(client, account, name('user'));
  const before = await heldStreams(client);
  const held = Array.from({ length: subscribers }, () => openSubscriber({ url: client.base(), authorization, channels: ['sync:trips'] }));
  await eventually(`${subscribers} held`, async () => (await heldStreams(client)) === before + subscribers);
  for (const [i, { close, socket }] of held.entries()) i % 2 === 0 ? close() : socket.resetAndDestroy();
  await soon(context, { what: 'none of them held', statedMs: 1000, holds: async () => (await heldStreams(client)) <= before });
  if (service === undefined) return;
  await service.withService({}, async (other) => {
    const owner = await other.newAccount({ streams: 1 });
    const user = await newUser(other.client, owner, name('owner'));
    const open = () => openSubscriber({ url: other.client.base(), authorization: user.authorization, channels: ['sync:trips'] });
    const first = open();
    await eventually('one held', async () => (await heldStreams(other.client)) === 1);
    const second = await open().ended;
    hold(second.kind === 'refused' && second.text.includes('too-many-streams'), 'a second one refused by the quota', second);
    first.close();
    await eventually('its place to be free', async () => {
      const next = open();
      const end = await Promise.race([next.ended, heldSoon(other.client)]);
      next.close();
      return end === undefined;
    });
  });
}

async function heldSoon(client: Client): Promise<undefined> {
  await eventually('one held again', async () => (await heldStreams(client)) === 1);
  return undefined;
}

const heldStreams = async (client: Client): Promise<number> => (await readMetrics(client))('headroom_streams') ?? Number.NaN;

type OwningGraph = Pick<RuleContext, 'client' | 'account' | 'name'> & {
  readonly stranger: AccountCredentials;
  /** Whose event `id` nobody else may see. */
  readonly device: string;
  readonly id: string;
  readonly sibling: string;
  readonly namesake: string;
};

const graphQueries = (device: string): readonly string[] => [
  `{ device(id: "${device}") { id registeredAt presence location { eventId } history(includeFiltered: true) { events { id } } } }`,
  `{ location(device: "${device}") { eventId } }`,
  `{ history(device: "${device}", includeFiltered: true) { events { id } } }`,
  '{ devices { items { id history(includeFiltered: true) { events { id } } } } }',
];

/** R47 over GraphQL: each field with every credential that has no business there. */
export async function ownGraphOnly({ client, account, stranger, name, device, id, sibling, namesake }: OwningGraph): Promise<void> {
  const url = client.base();
  const { authorization: other } = await newUser(client, account, name('other'));
  const mine = await ask({ url, authorization: secretAuthorization(account), query: graphQueries(device)[2] ?? '' });
  hold(mine.text.includes(id), 'the account’s own event by GraphQL', mine.text);
  const others = { sibling, namesake, other, publishable: publishableAuthorization(account), stranger: secretAuthorization(stranger) };
  for (const [who, authorization] of Object.entries(others)) {
    for (const query of graphQueries(device)) {
      const answer = await ask({ url, authorization, query });
      hold(!answer.text.includes(id), `nothing for ${who} from ${query}`, answer.text);
    }
    if (who === 'stranger') continue;
    const used = await ask({ url, authorization, query: '{ usage { events } }' });
    hold(used.status === 403 || used.errors[0]?.extensions?.code === 'forbidden', `no usage for ${who}`, used.text);
  }
  const channels = [`device:${device}`, 'devices', 'inbox', 'sync:trips'];
  // Who may listen to its own of that name hears nothing of the victim.
  for (const authorization of Object.values(others)) {
    for (const channel of channels) {
      const frames: SubscribedFrame[] = [];
      const subscriber = openSubscriber({ url, authorization, channels: [channel], since: '-1', onFrame: (frame) => void frames.push(frame) });
      await Promise.race([subscriber.ended, eventually('sync', () => frames.some(({ t }) => t === 'sync'))]);
      subscriber.close();
      hold(!JSON.stringify(frames).includes(id), `nothing of another’s in a subscription to ${channel}`, frames);
    }
  }
}

const subscriptions: Rule = {
  id: 'R64',
  title: 'a subscription carries what the stream carries, and who aborts it frees it within a second',
  proves: [
    'A subscription tells the changes that a stream of the same channels tells, with the same cursors, and resumes from them.',
    'When its client goes, with a word or without, it is freed within a second.',
  ],
  how: [
    'Side by side a subscription and a stream follow 126 changes of a collection and five locations of a device, and are compared one by one;',
    'then it resumes behind its first change.',
    '25 subscribers leave, every second one by a reset, and the gauge of streams has to come back to where it was.',
    'At a service of its own a quota of one has to refuse a second subscriber until the first is gone.',
  ],
  redBy: ['subscription-loses', 'subscription-lingers'],
  needs: [],
  check: async (context) => {
    await holdSameChanges(context);
    await holdSameStates(context);
    await holdFreed(context);
  },
};

export const graphqlRules: readonly Rule[] = [audits, subscriptions];
