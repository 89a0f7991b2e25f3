/** R41 to R44: items, versions, shares. */
import type { Answer } from './client.ts';
import { hold, type Rule } from './rule.ts';
import { arrived, changesOf, eventually, newUser } from './user.ts';

const writers = 100;
const countOf = ({ json }: Answer): number => (json?.data as { n: number } | undefined)?.n ?? Number.NaN;

const conditions: Rule = {
  id: 'R41',
  title: 'If-Match that does not match is 412 and changes nothing; a hundred writers of one counter lose nothing',
  proves: [
    'A write with If-Match that names another version, or with If-None-Match where the item exists, is 412 and changes nothing.',
    'So any number of writers can share a counter without losing an addition.',
  ],
  how: [
    'An item is made under If-None-Match, and made again, written and deleted under wrong conditions: each time 412.',
    'A hundred writers read the counter and add one under its ETag, again whenever they get 412.',
    'It has to end at 100 and at version 101.',
  ],
  redBy: ['ignores-if-match'],
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    const item = name('counter');
    const made = await user.put('counters', item, { n: 0 }, { 'if-none-match': '*' });
    hold(made.status === 201 && made.header('etag') === '"v1"', '201 with ETag "v1"', `${made.status} ${made.header('etag')}`);
    const again = await user.put('counters', item, { n: 9 }, { 'if-none-match': '*' });
    const wrong = await user.put('counters', item, { n: 9 }, { 'if-match': '"v7"' });
    const gone = await user.del('counters', item, { 'if-match': '"v7"' });
    for (const answer of [again, wrong, gone]) hold(answer.status === 412, '412', `${answer.status} ${answer.text}`);
    await Promise.all(
      Array.from({ length: writers }, async () => {
        for (;;) {
          const now = await user.get(`/v1/sync/counters/${item}`);
          const { status, text } = await user.put('counters', item, { n: countOf(now) + 1 }, { 'if-match': String(now.header('etag')) });
          if (status === 200) return;
          hold(status === 412, '200 or 412', `${status} ${text}`);
        }
      }),
    );
    const end = await user.get(`/v1/sync/counters/${item}`);
    hold(countOf(end) === writers && end.json?.version === writers + 1, `the counter at ${writers}, version ${writers + 1}`, end.text);
  },
};

const ownWrites: Rule = {
  id: 'R42',
  title: 'a write is read at once; from its Sync-Cursor a stream goes on behind it',
  proves: [
    'A write can be read at once, and its Sync-Cursor is the place right behind it in the log.',
    'From there a client hears what comes next, and not its own write again.',
  ],
  how: [
    'Five items are written; each has to be read back at once, and no change may follow its cursor.',
    'A stream from the cursor of a sixth write has to tell only the write after it.',
  ],
  redBy: ['stale-cursors'],
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    for (let i = 0; i < 5; i++) {
      const written = await user.put('trips', `t${i}`, { i });
      const read = await user.get(`/v1/sync/trips/t${i}`);
      hold((read.json?.data as { i?: number } | undefined)?.i === i, 'what was just written', read.text);
      const since = await user.get(`/v1/sync/trips?since=${written.header('sync-cursor')}`);
      hold(since.status === 200 && (since.json?.changes as unknown[] | undefined)?.length === 0, 'nothing after a write’s own cursor', since.text);
    }
    const last = await user.put('trips', 'last', {});
    const reader = await user.listen(`ch=sync:trips&since=${last.header('sync-cursor')}`);
    await user.put('trips', 'next', {});
    await arrived(reader, 'put');
    reader.close();
    hold(
      changesOf(reader).every(({ k }) => k === 'next'),
      'the stream to begin behind the write',
      changesOf(reader),
    );
  },
};

const everyNode: Rule = {
  id: 'R43',
  title: 'what one node acknowledged every other one reads',
  proves: ['Nodes share one store: what one has acknowledged any other reads, in the next request.', 'None of them answers from what it knew before.'],
  how: [
    'Two services run over one data folder; through one an item is written twenty times, and after each write read through the other.',
    'Each reading has to show the value just written.',
  ],
  redBy: ['reads-late'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService({}, async (first) => {
      await service.withService({ data: first.data }, async (second) => {
        const [writer, reader] = [await newUser(first.client, first.account, name('user')), await newUser(second.client, first.account, name('user'))];
        for (let i = 0; i < 20; i++) {
          const written = await writer.put('trips', 't', { i });
          hold(written.status < 300, '200 or 201', written.text);
          const read = await reader.get('/v1/sync/trips/t');
          hold((read.json?.data as { i?: number } | undefined)?.i === i, `the item at ${i} on the other node`, read.text);
        }
      });
    });
  },
};

const shares: Rule = {
  id: 'R44',
  title: 'a share, its changes and its revocation appear in the recipient’s inbox and nowhere else',
  proves: [
    "Sharing an item puts it into the recipient's inbox, with its changes, and revoking the share takes it out.",
    "Nobody else sees any of it, and the recipient sees neither the owner's other items nor what was written after the revocation.",
  ],
  how: [
    'Friend and stranger listen to their inboxes and collections while the owner shares one of two items, changes both, revokes the share, and',
    'writes once more.',
    'The friend has to get two puts and a deletion and nothing of the rest, and the stranger nothing.',
    "Reading the owner's item and revoking a share of somebody else's have to be 404.",
  ],
  redBy: ['keeps-revoked'],
  needs: [],
  check: async ({ client, account, name }) => {
    const [owner, friend, stranger] = [
      await newUser(client, account, name('owner')),
      await newUser(client, account, name('friend')),
      await newUser(client, account, name('other')),
    ];
    await owner.put('trips', 't1', { secret: 1 });
    await owner.put('trips', 't2', { secret: 'unshared' });
    const [inbox, others] = [await friend.listen('ch=inbox,sync:trips'), await stranger.listen('ch=inbox,sync:trips')];
    const shared = await owner.post('/v1/shares', { collection: 'trips', item: 't1', to: { user: name('friend') } });
    hold(shared.status === 201, '201 for a share', `${shared.status} ${shared.text}`);
    const id = String(shared.json?.share_id);
    await arrived(inbox, 'put');
    await owner.put('trips', 't1', { secret: 2 });
    await owner.put('trips', 't2', { secret: 'unshared too' });
    await arrived(inbox, 'put', 2);
    const foreign = await friend.get(`/v1/sync/trips/t1`);
    hold(foreign.status === 404, '404 for another user’s item, shared or not', `${foreign.status} ${foreign.text}`);
    const revoking = await client.call('DELETE', `/v1/shares/${id}`, { headers: { authorization: stranger.authorization } });
    hold(revoking.status === 404, '404 for who revokes another’s share', `${revoking.status} ${revoking.text}`);
    const revoked = await client.call('DELETE', `/v1/shares/${id}`, { headers: { authorization: owner.authorization } });
    hold(revoked.status === 204, '204 for a revocation', `${revoked.status} ${revoked.text}`);
    await arrived(inbox, 'del');
    await owner.put('trips', 't1', { secret: 3 });
    await eventually('the inbox to be empty', async () => ((await friend.get('/v1/sync/inbox/snapshot')).json?.items as unknown[] | undefined)?.length === 0);
    hold(
      !JSON.stringify(inbox.frames).includes('"secret":3') && !JSON.stringify(inbox.frames).includes('unshared'),
      'only what was shared, while it was',
      changesOf(inbox),
    );
    hold(changesOf(others).length === 0, 'nothing for anybody else', changesOf(others));
    inbox.close();
    others.close();
  },
};

export const syncRules: readonly Rule[] = [conditions, ownWrites, everyNode, shares];
