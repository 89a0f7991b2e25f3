/** R73: what a client sent is read back to the byte. */
import { ask } from '#harness/graphql/ask.ts';
import { secretAuthorization } from '#harness/topology/provision.ts';
import type { Client } from './client.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { arrived, eventually, newUser } from './user.ts';

/** Members that no program keeps which reads them as JSON and writes them anew: numbers, spaces, escapes, a repeated key, an order of keys. */
const members = '"2": 1.10,"1":9007199254740993,"big":1e400 ,"zero":-0,"zero":"\\u00e9\\/","1":[ 1.0e2,{} ]';
const json = { 'content-type': 'application/json' };

const contains = (place: string, text: string, part: string): void => hold(text.includes(part), `${part} from ${place}`, text);

async function holdItems({ client, account, name }: RuleContext): Promise<void> {
  const item = `{ ${members} }`;
  const [owner, friend] = [await newUser(client, account, name('owner')), await newUser(client, account, name('friend'))];
  const reader = await owner.listen('ch=sync:bytes');
  const put = await client.call('PUT', '/v1/sync/bytes/b', { headers: { ...json, authorization: owner.authorization }, body: ` ${item}\n` });
  hold(put.status === 201, '201 for an item', `${put.status} ${put.text}`);
  for (const path of ['/b', '', '/snapshot']) contains(`/v1/sync/bytes${path}`, (await owner.get(`/v1/sync/bytes${path}`)).text, item);
  await arrived(reader, 'put');
  contains('a stream', reader.chunks.join(''), `"d":${item}`);
  reader.close();
  const shared = await owner.post('/v1/shares', { collection: 'bytes', item: 'b', to: { user: name('friend') } });
  hold(shared.status === 201, '201 for a share', `${shared.status} ${shared.text}`);
  const inbox = async (): Promise<string> => (await friend.get('/v1/sync/inbox/snapshot')).text;
  await eventually('a share in the inbox', async () => (await inbox()).includes(name('owner')));
  contains('an inbox', await inbox(), item);
}

async function holdEvents({ client, account, name }: RuleContext): Promise<void> {
  const device = name('device');
  const [authorization, secret] = [await client.device(account, device), secretAuthorization(account)];
  const place = `{"lat":52.10, "lon":4.9,"accuracy":5,${members}}`;
  const eventOf = (n: number): string =>
    `{"id":"${name(`e${n}`)}", "type":"location","recorded_at":"${new Date(Date.now() + n).toISOString()}","data":${place}}`;
  const events = [eventOf(0), eventOf(1)];
  const sent = await client.send(authorization, `[${events.join(' ,')}]`);
  hold(sent.status === 202 && sent.json?.accepted === 2, '202 with 2 accepted', `${sent.status} ${sent.text}`);
  const read = async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> =>
    (await client.call('GET', path, { headers: { authorization: secret, ...headers } })).text;
  const history = `/v1/devices/${device}/history?include=filtered`;
  const shown = [
    ['history', await read(history)],
    ['history as NDJSON', await read(history, { accept: 'application/x-ndjson' })],
    ['export', await exportOf(client, secret)],
  ] as const;
  for (const [where, text] of shown) for (const event of events) contains(where, text, `"event":${event}`);
  await eventually('a location', async () => (await read(`/v1/devices/${device}/location`)).includes('"position"'));
  contains('a device’s location', await read(`/v1/devices/${device}/location`), `"data":${place}`);
  const query = `{ location(device: "${device}") { data } history(device: "${device}", includeFiltered: true) { events { data } } }`;
  const { text } = await ask({ url: client.base(), authorization: secret, query });
  contains('GraphQL', text, `{"location":{"data":${place}},"history":{"events":[{"data":${place}},{"data":${place}}]}}`);
}

/** The whole of it, as text. */
async function exportOf(client: Client, authorization: string): Promise<string> {
  let whole = '';
  for (let after = ''; ; ) {
    const page = await client.call('GET', `/v1/export${after}`, { headers: { authorization } });
    hold(page.status === 200, '200 from export', `${page.status} ${page.text}`);
    if (page.text === '') return whole;
    whole += page.text;
    after = `?after=${page.header('export-cursor')}`;
  }
}

const bytes: Rule = {
  id: 'R73',
  title: 'items and events are read back to the byte, from everything that shows them',
  proves: [
    'What a client sent is what others read: numbers that no double holds, 1.10, 1e400, -0, blanks, escapes, repeated keys and the order of keys.',
    'That holds for an item, its changes, snapshot, stream and inbox, and for an event in history, export, location and GraphQL.',
  ],
  how: [
    'An item with all of these is put and shared, and read by its route, the changes, the snapshot, a stream and the inbox of a friend.',
    'A batch of two events with them is sent, and read by history in both forms, the export, the location and a query.',
    'Each answer has to have the bytes that were sent.',
  ],
  redBy: ['rewrites-what-it-keeps', 'rewrites-what-it-shows'],
  needs: [],
  check: async (context) => {
    await holdItems(context);
    await holdEvents(context);
  },
};

export const bytesRules: readonly Rule[] = [bytes];
