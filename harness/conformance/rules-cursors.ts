/** R12 to R21: cursors, replay, snapshots. */

import { secretAuthorization } from '#harness/topology/provision.ts';
import { decodeCursor, encodeCursor } from '#system/protocol/cursor.ts';
import type { Answer } from './client.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { applied, arrived, changesOf, eventually, hashOf, lastCursor, newUser, type State, shownChanges, shownState, type User } from './user.ts';

const none: State = new Map();
const snapshotOf = (answer: Answer): string => String(Object.values((answer.json?.snapshots as Record<string, string>) ?? {})[0]);

async function writeSome(user: User, count: number, collection = 'trips'): Promise<readonly string[]> {
  const cursors: string[] = [];
  for (let i = 0; i < count; i++) {
    const answer = i % 5 === 4 ? await user.del(collection, `k${(i - 1) % 4}`) : await user.put(collection, `k${i % 4}`, { i });
    hold(answer.status < 300, 'a 2xx for a write', `${answer.status} ${answer.text}`);
    cursors.push(String(answer.header('sync-cursor')));
  }
  return cursors;
}

const increasing: Rule = {
  id: 'R12',
  title: 'the cursors of a stream strictly increase',
  proves: [
    'Each change on a log channel carries a cursor that is greater than the one before.',
    'That holds for changes read from the log and for those that come live.',
  ],
  how: [
    "A user writes nineteen changes, opens a stream from the log's begin, and writes twenty more at once while it listens.",
    'The cursors of all 39 changes, as they arrived, have to grow strictly when compared as text.',
  ],
  redBy: ['swaps-changes'],
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    await writeSome(user, 19);
    const reader = await user.listen('ch=sync:trips&since=-1');
    await Promise.all(Array.from({ length: 20 }, (_, i) => user.put('trips', `x${i}`, {})));
    await eventually('all changes', () => changesOf(reader).length >= 39);
    const cursors = changesOf(reader).map(({ c }) => String(c));
    hold(
      cursors.every((cursor, i) => i === 0 || cursor > (cursors[i - 1] as string)),
      'each cursor to be greater than the one before',
      cursors,
    );
    reader.close();
  },
};

/** The whole log, then from every cursor and over every cut: the joined frames are the log after it. */
async function joinsUp({ users, total, seed }: { readonly users: readonly [User, ...User[]]; readonly total: number; readonly seed: number }): Promise<void> {
  const whole = await users[0].listen('ch=sync:trips&since=-1');
  const log = changesOf(whole);
  whole.close();
  hold(log.length === total, `a log of ${total} changes`, log.length);
  let random = seed;
  const below = (n: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((random / 2 ** 32) * n);
  };
  for (let round = 0; round < 12; round++) {
    const from = below(total);
    let cursor = String(log[from]?.c);
    const joined: string[] = [];
    for (let cuts = below(3); cuts >= 0; cuts--) {
      const reader = await (users[below(users.length)] ?? users[0]).listen(`ch=sync:trips&since=${cursor}`);
      hold(reader.frames[0]?.resumed === true, 'hello with resumed', reader.frames[0]);
      // A cut anywhere: of what came, a part counts as read.
      const read = cuts === 0 ? changesOf(reader) : changesOf(reader).slice(0, below(changesOf(reader).length + 1));
      joined.push(...shownChanges(read));
      cursor = String(read.at(-1)?.c ?? cursor);
      reader.close();
    }
    hold(joined.join() === shownChanges(log.slice(from + 1)).join(), `the log after change ${from}`, joined);
  }
}

const complete: Rule = {
  id: 'R13',
  title: 'from any cursor, over any cuts, the frames joined are the log after it',
  proves: [
    'A client may stop reading anywhere and go on from its last cursor, as often as it likes.',
    'What it read before and after its interruptions is the log: nothing is missing, nothing comes twice, and the order is kept.',
  ],
  how: [
    'A log of forty puts and deletions is read once as a whole.',
    'Twelve times a stream is opened at a cursor drawn by a fixed seed, cut up to twice after part of what came, and resumed; each hello has to',
    'say resumed.',
    'The frames joined have to be the log behind the first cursor.',
  ],
  redBy: ['skips-a-change'],
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    await writeSome(user, 40);
    await joinsUp({ users: [user], total: 40, seed: 5 });
  },
};

const otherNode: Rule = {
  id: 'R14',
  title: 'a stream resumes the same on any node',
  proves: ["A cursor holds no node's name: a stream that began at one node goes on at another as if nothing had happened.", 'Both nodes tell the same log.'],
  how: [
    'Two services run over one data folder, and a user writes forty changes through the first.',
    'Twelve times a stream is opened at a drawn cursor, cut up to twice and resumed, each time at either of the two.',
    'What the two told has to join up to the log behind the first cursor.',
  ],
  redBy: ['skips-a-change'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService({}, async (first) => {
      await service.withService({ data: first.data }, async (second) => {
        const users = [await newUser(first.client, first.account, name('user')), await newUser(second.client, first.account, name('user'))] as const;
        await writeSome(users[0], 40);
        await joinsUp({ users: [...users], total: 40, seed: 6 });
      });
    });
  },
};

/** A deletion is forgotten after a second, so a cursor from before it is too old. */
const shortRetention = { env: { HEADROOM_DELETIONS_SECONDS: '1', HEADROOM_WHOLE_CHANGES: '4' } };

const tooOld: Rule = {
  id: 'R15',
  title: 'a cursor older than what is retained is 410 with a snapshot link; snapshot and replay are the whole state',
  proves: [
    'When a cursor is older than the deletions that are still remembered, the service cannot tell all that changed and says so with 410.',
    'The refusal names the snapshot; the snapshot and the changes behind its cursor are the whole state.',
  ],
  how: [
    'A service of its own forgets deletions after a second; a user deletes an item and asks with a cursor from before until the answer is 410.',
    'It has to be cursor-expired with the address of the snapshot, and a stream from that cursor has to be 410 too.',
    'The snapshot with what a stream tells behind it has to hold exactly the three items that live.',
  ],
  redBy: ['believes-cursors'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService(shortRetention, async ({ client, account }) => {
      const user = await newUser(client, account, name('user'));
      await user.put('trips', 'gone', {});
      const old = String((await user.put('trips', 'kept', {})).header('sync-cursor'));
      await user.del('trips', 'gone');
      let answer: Answer | undefined;
      await eventually('410 for the old cursor', async () => {
        await user.put('trips', 'later', {});
        answer = await user.get(`/v1/sync/trips?since=${old}`);
        return answer.status === 410;
      });
      hold(
        answer?.json?.code === 'cursor-expired' && snapshotOf(answer) === '/v1/sync/trips/snapshot',
        'cursor-expired with the snapshot’s address',
        answer?.text,
      );
      const stream = await user.open(`ch=sync:trips&since=${old}`);
      hold(stream.status() === 410, '410 from a stream too', stream.status());
      const { state, cursor } = await user.snapshot('trips');
      const reader = await user.listen(`ch=sync:trips&since=${cursor}`);
      await user.put('trips', 'new', {});
      await arrived(reader, 'put');
      hold([...applied(state, reader.frames).keys()].sort().join() === 'kept,later,new', 'the whole state', [...applied(state, reader.frames).keys()]);
      reader.close();
    });
  },
};

const wrongPlace: Rule = {
  id: 'R16',
  title: 'a cursor of another epoch or from beyond the head is 410',
  proves: [
    'A cursor is refused where it is from another epoch of the store, or ahead of all that was ever written.',
    'The service does not quietly go on from somewhere else.',
  ],
  how: [
    'The cursor of a write is decoded as the protocol describes it and written anew, once with another epoch and once with a position far beyond',
    'the head.',
    'Both have to be 410 with their codes, epoch-changed and cursor-from-future, for changes and for a stream.',
  ],
  redBy: ['believes-cursors'],
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    const log = { account: account.account_id, principal: `user:${name('user')}` };
    const cursor = String((await user.put('trips', 't', {})).header('sync-cursor'));
    const parts = decodeCursor(cursor, log);
    hold(parts !== undefined, 'a cursor as the protocol writes it', cursor);
    const wrong = {
      'cursor-from-future': encodeCursor({ ...parts, position: `${'0'.repeat(8)}f${parts.position.slice(9)}` }, log),
      'epoch-changed': encodeCursor({ ...parts, epoch: '0123456789abcdef' }, log),
    };
    for (const [code, given] of Object.entries(wrong)) {
      for (const path of [`/v1/sync/trips?since=${given}`, `/v1/stream?ch=sync:trips&since=${given}`]) {
        const answer = path.startsWith('/v1/stream') ? await streamAnswer(user, path) : await user.get(path);
        hold(answer.status === 410 && answer.text.includes(code), `410 ${code} at ${path.split('?')[0]}`, `${answer.status} ${answer.text}`);
      }
    }
  },
};

async function streamAnswer(user: User, path: string): Promise<Pick<Answer, 'status' | 'text'>> {
  const reader = await user.open(path.slice(path.indexOf('?') + 1));
  const answer = { status: reader.status() ?? 0, text: reader.text() };
  reader.close();
  return answer;
}

const restored: Rule = {
  id: 'R17',
  title: 'after a restore every old cursor is 410, and clients converge by snapshot',
  proves: [
    'A backup that is restored has lost what was written after it, so it begins a new epoch: no cursor from before may be believed.',
    'A client comes back to the true state by the snapshot.',
  ],
  how: [
    'One item is written before a backup and one after it, and another service is started from that backup.',
    'The cursors of both writes, and one of the export, have to be 410 epoch-changed, and the snapshot has to hold the first item alone.',
    "A stream from the snapshot's cursor has to tell the next change.",
  ],
  redBy: ['keeps-its-epoch'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService({}, async (first) => {
      const before = await newUser(first.client, first.account, name('user'));
      const early = String((await before.put('trips', 'a', { n: 1 })).header('sync-cursor'));
      await first.admin({ path: '/admin/v1/backup', body: { folder: `${first.folder}/backup` }, expected: 201 });
      const late = String((await before.put('trips', 'b', { n: 2 })).header('sync-cursor'));
      const exporting = { headers: { authorization: secretAuthorization(first.account) } };
      const exported = (await first.client.call('GET', '/v1/export', exporting)).header('export-cursor');
      await first.stop();
      await service.withService({ env: { HEADROOM_RESTORE_FROM: `${first.folder}/backup` } }, async ({ client }) => {
        const user = await newUser(client, first.account, name('user'));
        for (const cursor of [early, late]) {
          const answer = await user.get(`/v1/sync/trips?since=${cursor}`);
          hold(answer.status === 410 && answer.json?.code === 'epoch-changed', '410 epoch-changed for a cursor from before', `${answer.status} ${answer.text}`);
        }
        const page = await client.call('GET', `/v1/export?after=${exported}`, exporting);
        hold(page.status === 410 && page.json?.code === 'epoch-changed', '410 epoch-changed for a cursor of the export', `${page.status} ${page.text}`);
        const { state, cursor } = await user.snapshot('trips');
        hold(shownState(state) === '[["a",{"version":1,"data":{"n":1}}]]', 'the state of the backup', shownState(state));
        const reader = await user.listen(`ch=sync:trips&since=${cursor}`);
        await user.put('trips', 'c', {});
        await arrived(reader, 'put');
        reader.close();
      });
    });
  },
};

const broken: Rule = {
  id: 'R18',
  title: 'a cursor that is broken anywhere is 400, never 500',
  proves: ["A cursor with anything wrong in it is the client's mistake: 400, and never a failure of the service.", 'No damage passes as another valid cursor.'],
  how: [
    'From a real cursor come one variant for each of its digits changed, a longer and a shorter one, and seven texts that are no cursors at all,',
    'an empty one and emoji among them.',
    'Each has to be answered with 400, for changes and for a stream.',
  ],
  redBy: ['chokes-on-cursors'],
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    const cursor = String((await user.put('trips', 't', {})).header('sync-cursor'));
    const texts = [
      '',
      'x',
      '-2',
      '0'.repeat(47),
      'v'.repeat(47),
      `${cursor}0`,
      cursor.slice(1),
      '%00'.repeat(20),
      '🙂'.repeat(10),
      ...Array.from(cursor, (digit, at) => `${cursor.slice(0, at)}${digit === '7' ? '8' : '7'}${cursor.slice(at + 1)}`),
    ];
    for (const text of texts) {
      const answer = await user.get(`/v1/sync/trips?since=${encodeURIComponent(text)}`);
      hold(answer.status === 400, `400 for the cursor ${JSON.stringify(text)}`, `${answer.status} ${answer.text}`);
      const streamed = await streamAnswer(user, `/v1/stream?ch=sync:trips&since=${encodeURIComponent(text)}`);
      hold(streamed.status === 400, `400 from a stream for ${JSON.stringify(text)}`, `${streamed.status} ${streamed.text}`);
    }
  },
};

const snapshotUnderWrites: Rule = {
  id: 'R19',
  title: 'under writes, a snapshot’s pages and the replay after their cursor are exactly the state',
  proves: [
    'A snapshot is read in pages while others write, and all its pages carry the cursor from before the first.',
    'What the pages hold, with the changes behind that cursor applied, is exactly the state.',
  ],
  how: [
    'A snapshot of 23 items is read five at a time, and between the pages one item is changed, one deleted and one made.',
    'The pages must not repeat an item or change their cursor; with the frames behind that cursor they have to equal a fresh snapshot.',
    'The hash that the stream says has to be the one computed from that state.',
  ],
  redBy: ['snapshot-loses-item'],
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    await Promise.all(Array.from({ length: 23 }, (_, i) => user.put('trips', `k${String(i).padStart(2, '0')}`, { i })));
    let wave = 0;
    const { state, cursor } = await user.snapshot('trips', async () => {
      wave++;
      await user.put('trips', `k${String(wave).padStart(2, '0')}`, { wave });
      await user.del('trips', `k${String(22 - wave).padStart(2, '0')}`);
      await user.put('trips', `new${wave}`, {});
    });
    const reader = await user.listen(`ch=sync:trips&since=${cursor}`);
    reader.close();
    const end = await user.snapshot('trips');
    const whole = new Map([...applied(state, reader.frames)].sort(([a], [b]) => (a < b ? -1 : 1)));
    hold(shownState(whole) === shownState(end.state), 'the state as it is', shownState(whole));
    hold(
      (reader.frames.findLast(({ t }) => t === 'sync')?.h as Record<string, string> | undefined)?.['sync:trips'] === hashOf(whole),
      'the hash of the state',
      lastCursor(reader),
    );
  },
};

const compacted: Rule = {
  id: 'R20',
  title: 'compaction keeps each key’s last version and its deletion',
  proves: [
    'The log may be shortened to the last change of each item, but never so far that a client which was away keeps a wrong state.',
    'A deletion is told too.',
  ],
  how: [
    'A service of its own keeps only fifty whole changes; twenty items are written a hundred times each, and one is deleted.',
    'A stream from the first cursor has to lead to the state of the snapshot, tell the deletion, and do so in fewer than 200 frames.',
  ],
  redBy: ['forgets-deletes'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService({ env: { HEADROOM_WHOLE_CHANGES: '50' } }, async ({ client, account }) => {
      const user = await newUser(client, account, name('user'));
      const start = String((await user.put('trips', 'k0', {})).header('sync-cursor'));
      for (let wave = 0; wave < 100; wave++) await Promise.all(Array.from({ length: 20 }, (_, i) => user.put('trips', `k${i}`, { wave })));
      await user.del('trips', 'k3');
      const reader = await user.listen(`ch=sync:trips&since=${start}`);
      reader.close();
      const { state } = await user.snapshot('trips');
      const held = applied(new Map([['k0', { version: 1, data: {} }]]), reader.frames);
      hold(shownState(held) === shownState(state) && state.size === 19, 'the last version of each key, and none of what was deleted', shownState(held));
      hold(
        changesOf(reader).some(({ t, k }) => t === 'del' && k === 'k3'),
        'the deletion to be told',
        shownChanges(changesOf(reader)).slice(-5),
      );
      hold(changesOf(reader).length < 200, 'fewer frames than changes', changesOf(reader).length);
    });
  },
};

const hashes: Rule = {
  id: 'R21',
  title: 'the rolling hash is the client’s',
  proves: [
    'With sync a stream says a hash for each log channel: the sum over its live items of the first eight bytes of SHA-256 of key and version.',
    'A client that applied every frame computes the same value, and so knows that it lost nothing.',
  ],
  how: [
    'A user writes to two collections and then four times more to the first, deletions among the changes; a third stays empty.',
    "After each of the four times a stream from the log's begin has to say, for all three channels, the hash that the rule computes from the",
    'frames.',
  ],
  redBy: ['wrong-hash'],
  needs: [],
  check: async ({ client, account, name }: RuleContext) => {
    const user = await newUser(client, account, name('user'));
    await writeSome(user, 17);
    await writeSome(user, 8, 'notes');
    for (let more = 0; more < 4; more++) {
      await writeSome(user, 5);
      const reader = await user.listen('ch=sync:trips,sync:notes,sync:empty&since=-1');
      reader.close();
      const said = reader.frames.findLast(({ t }) => t === 'sync')?.h as Record<string, string> | undefined;
      for (const channel of ['sync:trips', 'sync:notes', 'sync:empty']) {
        const own = hashOf(
          applied(
            none,
            reader.frames.filter(({ ch }) => ch === channel),
          ),
        );
        hold(said?.[channel] === own, `the hash ${own} for ${channel}`, said);
      }
    }
  },
};

export const cursorRules: readonly Rule[] = [increasing, complete, otherNode, tooOld, wrongPlace, restored, broken, snapshotUnderWrites, compacted, hashes];
