/** R12 to R21: cursors, replay, snapshots. */
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
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService({}, async (first) => {
      const before = await newUser(first.client, first.account, name('user'));
      const early = String((await before.put('trips', 'a', { n: 1 })).header('sync-cursor'));
      await first.admin({ path: '/admin/v1/backup', body: { folder: `${first.folder}/backup` }, expected: 201 });
      const late = String((await before.put('trips', 'b', { n: 2 })).header('sync-cursor'));
      await first.stop();
      await service.withService({ env: { HEADROOM_RESTORE_FROM: `${first.folder}/backup` } }, async ({ client }) => {
        const user = await newUser(client, first.account, name('user'));
        for (const cursor of [early, late]) {
          const answer = await user.get(`/v1/sync/trips?since=${cursor}`);
          hold(answer.status === 410 && answer.json?.code === 'epoch-changed', '410 epoch-changed for a cursor from before', `${answer.status} ${answer.text}`);
        }
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
