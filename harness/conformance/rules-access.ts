/** R46, R47, R65, R71: who may, and how a refusal looks. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccountCredentials, basic, publishableAuthorization, secretAuthorization } from '#harness/topology/provision.ts';
import type { Answer, Client } from './client.ts';
import { movedDeviceReadsNothing } from './moved-device.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { ownGraphOnly } from './rules-graphql.ts';
import { eventOf } from './rules-ingest.ts';
import { deletionKnownMs, eventually, newUser } from './user.ts';

const json = { 'content-type': 'application/json' };

function isProblem(answer: Answer, what: string): void {
  const { json: body } = answer;
  hold(
    answer.status >= 400 && answer.header('content-type')?.startsWith('application/problem+json') === true,
    `a problem document for ${what}`,
    `${answer.status} ${answer.header('content-type')} ${answer.text}`,
  );
  hold(body?.status === answer.status && typeof body.code === 'string' && typeof body.title === 'string', `status, code and title for ${what}`, answer.text);
  hold(
    body.request_id !== undefined && body.request_id === answer.header('x-request-id'),
    `the X-Request-Id ${answer.header('x-request-id')} as request_id for ${what}`,
    answer.text,
  );
}

const credentials: Rule = {
  id: 'R46',
  title: 'missing, broken, expired, forged and unknown credentials, and those of a deleted device: one and the same 401',
  proves: [
    'Whatever is wrong with a credential, the answer is one and the same 401 with WWW-Authenticate, so that nobody learns from it which part was',
    'right.',
    'A token counts only with a signature of this service, and only until it expires or its device is deleted, whichever comes first.',
    'The scheme is read in any case, as HTTP has it, and a credential has one spelling.',
  ],
  how: [
    'Twelve credentials are sent to the route of events: none, broken, expired, of a deleted device, with alg none, with a changed signature or',
    'claims, of an unknown account, with a wrong secret, with more behind a right one, of another scheme. The right one under a scheme in lower case is no 401.',
    'The expired token and that of the deleted device are real ones, which were recognised before; a deletion may take the position check to be known.',
    'All have to be 401 with the header, and their bodies, but for the request id, have to be the same.',
  ],
  redBy: ['believes-tokens', 'remembers-tokens', 'forgets-deletions'],
  needs: [],
  check: async ({ client, account, name }) => {
    const token = (await client.device(account, name('device'))).slice('Bearer '.length);
    const [head, claims, signature] = token.split('.') as [string, string, string];
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const body = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    const expired = await expiredToken(client, account);
    const wrong = {
      'an expired token': expired,
      'a deleted device': await deletedToken({ client, account, name }),
      'no credential': undefined,
      'a scheme alone': 'Bearer',
      'no token at all': 'Bearer x.y.z',
      'alg none': `Bearer ${encode({ alg: 'none', typ: 'JWT' })}.${claims}.`,
      'a changed signature': `Bearer ${head}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      'changed claims': `Bearer ${head}.${encode({ ...body, exp: 4_102_444_800 })}.${signature}`,
      'an unknown account': basic('nobody', 'x'),
      'a wrong secret': basic(account.account_id, 'wrong'),
      'more behind a secret': `${secretAuthorization(account)}!!!!`,
      'another scheme': 'Digest a="b"',
    };
    const answers = new Map<string, string>();
    for (const [what, authorization] of Object.entries(wrong)) {
      const answer = await client.call('POST', '/v1/events', { headers: { ...json, ...(authorization === undefined ? {} : { authorization }) }, body: '[]' });
      hold(answer.status === 401, `401 for ${what}`, `${answer.status} ${answer.text}`);
      hold(answer.header('www-authenticate') !== undefined, `WWW-Authenticate for ${what}`, 'none');
      const { request_id: _, ...rest } = answer.json ?? {};
      answers.set(JSON.stringify(rest), what);
    }
    hold(answers.size === 1, 'the same body for all', Object.fromEntries(answers));
    const alive = await client.send(`bearer ${token}`, [eventOf(name('lower-case'))]);
    hold(alive.status === 202, '202 for a right token under a scheme in lower case', `${alive.status} ${alive.text}`);
  },
};

/** A user's token that was taken for what it is while it lived: 403, since it is not for this route. */
async function expiredToken(client: Client, account: AccountCredentials): Promise<string> {
  const body = JSON.stringify({ user: 'u1', scopes: ['ch:own'], expires_in: expiresInSeconds });
  const minted = await client.call('POST', '/v1/tokens', { headers: { ...json, authorization: secretAuthorization(account) }, body });
  const token = minted.json?.access_token;
  hold(minted.status < 300 && typeof token === 'string', 'a user token', `${minted.status} ${minted.text}`);
  const authorization = `Bearer ${token}`;
  const alive = await client.send(authorization, []);
  hold(alive.status === 403, '403 for a living user token on a device’s route', `${alive.status} ${alive.text}`);
  await sleep((expiresInSeconds + 0.5) * 1000);
  return authorization;
}
const expiresInSeconds = 2;

/** Of a device that sent an event and was deleted then. */
async function deletedToken({ client, account, name }: Pick<RuleContext, 'client' | 'account' | 'name'>): Promise<string> {
  const device = name('deleted');
  const authorization = await client.device(account, device);
  const alive = await client.send(authorization, [eventOf(name('last'))]);
  hold(alive.status === 202, '202 for a device that is there', `${alive.status} ${alive.text}`);
  const gone = await client.call('DELETE', `/v1/devices/${device}`, { headers: { authorization: secretAuthorization(account) } });
  hold(gone.status === 204, '204 for the deletion', `${gone.status} ${gone.text}`);
  const isRefused = async (): Promise<boolean> => (await client.send(authorization, [])).status === 401;
  await eventually("401 for a deleted device's token", isRefused, deletionKnownMs);
  return authorization;
}

type Owning = Pick<RuleContext, 'client' | 'account' | 'name'> & { readonly stranger: AccountCredentials; readonly device: string };

/** Every route of items, shares and streams, with every credential that has no business there. */
async function ownItemsOnly({ client, account, stranger, name, device }: Owning): Promise<void> {
  const [user, secret] = [name('owner'), name('itemsecret')];
  const owner = await newUser(client, account, user);
  await owner.put('trips', 't', { secret });
  const made = await owner.post('/v1/shares', { collection: 'trips', item: 't', to: { user: name('friend') } });
  const narrow = await newUser(client, account, user, { scopes: ['ch:sync:notes'] });
  const others = {
    'another user': (await newUser(client, account, name('other'))).authorization,
    'a user of that name in another account': (await newUser(client, stranger, user)).authorization,
    'a token for another collection': narrow.authorization,
    'a device of no user': device,
    'a publishable key': publishableAuthorization(account),
    'another account’s secret': secretAuthorization(stranger),
  };
  const paths = ['/t', '', '?since=-1', '/snapshot'].map((tail) => `/v1/sync/trips${tail}`);
  const asked = [
    ...paths.map((path) => ['GET', path] as const),
    ['DELETE', '/v1/sync/trips/t'] as const,
    ['GET', `/v1/shares/${made.json?.share_id}`] as const,
    ['DELETE', `/v1/shares/${made.json?.share_id}`] as const,
    ['GET', '/v1/stream?ch=sync:trips&since=-1&mode=longpoll&hb=1000'] as const,
  ];
  for (const [who, authorization] of Object.entries(others)) {
    for (const [method, path] of asked) {
      // A token for another collection is the owner's all the same: its shares are its own.
      if (who === 'a token for another collection' && path.startsWith('/v1/shares')) continue;
      const answer = await client.call(method, path, { headers: { authorization } });
      hold(
        !answer.text.includes(secret) && !(method === 'DELETE' && answer.status < 300),
        `nothing for ${who} at ${method} ${path}`,
        `${answer.status} ${answer.text}`,
      );
    }
  }
  const end = await owner.get('/v1/sync/trips/t');
  hold(end.status === 200 && end.header('etag') === '"v1"', 'the item untouched', `${end.status} ${end.text}`);
}

const ownOnly: Rule = {
  id: 'R47',
  title: 'no credential reads what is not its own',
  proves: [
    'No credential reads what belongs to another account, user or device, on any route.',
    'A publishable key, which anybody can take out of an app, opens nothing that exists.',
    'A device that moved to another user reads and writes nothing of the former one, with whatever token.',
  ],
  how: [
    'A device sends an event and a user writes an item whose texts can be recognised.',
    "Then sibling devices, a device of the same name in another account, other users, the publishable keys and the other account's secret ask",
    'every route that could show them, GraphQL and its subscriptions too.',
    'None may get the text, and none may delete the item.',
    'A device of the user moves to another one: within a second its token is 401 for reading and writing, its stream ends with bye kick, and a new token sees nothing of the former user.',
  ],
  redBy: ['leaks-accounts', 'mixes-users', 'graphql-is-the-account', 'keeps-moved-tokens'],
  needs: ['second account'],
  check: async (context) => {
    const { client, account, stranger, name } = context;
    if (stranger === undefined) return;
    const [device, id] = [name('device'), name('secret')];
    const victim = await client.device(account, device);
    await client.send(victim, [eventOf(id)]);
    const sibling = await client.device(account, name('sibling'));
    // The same device id in another account is another device.
    const namesake = await client.device(stranger, device);
    for (const path of ['', '/location', '/context', '/history?include=filtered'].map((tail) => `/v1/devices/${device}${tail}`)) {
      for (const authorization of [sibling, publishableAuthorization(account), publishableAuthorization(stranger)]) {
        const answer = await client.call('GET', path, { headers: { authorization } });
        hold(answer.status === 401 || answer.status === 403, `401 or 403 at ${path}`, `${answer.status} ${answer.text}`);
      }
      for (const authorization of [namesake, secretAuthorization(stranger)]) {
        const answer = await client.call('GET', path, { headers: { authorization } });
        hold(!answer.text.includes(id), `nothing of another account at ${path}`, answer.text);
      }
    }
    const foreign = await client.call('GET', '/v1/export', { headers: { authorization: secretAuthorization(stranger) } });
    hold(!foreign.text.includes(id), "nothing of another account in the stranger's export", foreign.text);
    const list = await client.call('GET', '/v1/devices?limit=1000', { headers: { authorization: secretAuthorization(stranger) } });
    hold(!list.text.includes(name('sibling')), "nothing of another account in the stranger's devices", list.text);
    for (const path of ['/v1/export', '/v1/usage', '/v1/devices']) {
      for (const authorization of [victim, publishableAuthorization(account)]) {
        const answer = await client.call('GET', path, { headers: { authorization } });
        hold(answer.status === 403, `403 from ${path} without the secret`, `${answer.status} ${answer.text}`);
      }
    }
    const taken = await client.call('POST', '/v1/authenticate', {
      headers: { ...json, authorization: publishableAuthorization(account) },
      body: JSON.stringify({ device_id: device }),
    });
    hold(taken.status === 401, '401 for a known device without its secret', `${taken.status} ${taken.text}`);
    await ownItemsOnly({ client, account, stranger, name, device: victim });
    await movedDeviceReadsNothing(context);
    await ownGraphOnly({ client, account, stranger, name, device, id, sibling, namesake });
  },
};

/** More than any burst that is published. */
const quotaTriesMax = 200;

const problems: Rule = {
  id: 'R65',
  title: 'every error is a problem document with its request id',
  proves: [
    'Every error is a problem document with status, code and title.',
    "Its request_id is the X-Request-Id of the answer, which is the client's own where it sent one.",
  ],
  how: [
    'Eleven kinds of error are provoked, from an unknown address, broken JSON and bytes that are no text to a page of 0, a broken cursor and a device that changes too',
    'often.',
    'Each has to be application/problem+json with these fields, and an X-Request-Id that was sent has to come back in header and body.',
  ],
  redBy: ['plain-errors'],
  needs: [],
  check: async ({ client, account, name }) => {
    const authorization = await client.device(account, name('device'));
    const publishable = publishableAuthorization(account);
    const wrong: readonly (readonly [string, () => Promise<Answer>])[] = [
      ['an unknown address', () => client.call('GET', '/nowhere')],
      ['a method that is not there', () => client.call('DELETE', '/v1/events')],
      ['no credential', () => client.call('GET', '/v1/export')],
      ['another media type', () => client.call('POST', '/v1/events', { headers: { authorization, 'content-type': 'text/plain' }, body: 'x' })],
      ['a body that is not JSON', () => client.send(authorization, '[{')],
      ['a body that is not UTF-8', () => client.send(authorization, Buffer.from('["\xff"]', 'latin1'))],
      [
        'a name that is half of a surrogate pair',
        () =>
          client.call('POST', '/v1/tokens', {
            headers: { ...json, authorization: secretAuthorization(account) },
            body: '{"user":"\\ud800","scopes":["ch:own"]}',
          }),
      ],
      ['a missing field', () => client.call('POST', '/v1/authenticate', { headers: { ...json, authorization: publishable }, body: '{}' })],
      ['a page of 0', () => client.call('GET', '/v1/devices/x/history?limit=0', { headers: { authorization } })],
      ['a broken cursor', () => client.call('GET', '/v1/export?after=nonsense', { headers: { authorization: secretAuthorization(account) } })],
    ];
    for (const [what, ask] of wrong) isProblem(await ask(), what);
    const fickle = (version: number): Promise<Answer> =>
      client.register(secretAuthorization(account), name('fickle'), { platform: 'ios', app_version: `${version}` });
    let refused = await fickle(0);
    for (let version = 1; refused.status < 400 && version < quotaTriesMax; version++) refused = await fickle(version);
    isProblem(refused, 'a device that changes too often');
    const echoed = await client.call('GET', '/nowhere', { headers: { 'x-request-id': 'mine' } });
    hold(echoed.header('x-request-id') === 'mine' && echoed.json?.request_id === 'mine', "the client's own X-Request-Id back", echoed.text);
  },
};

const published: Rule = {
  id: 'R71',
  title: 'the limits that are published are those that are enforced',
  proves: [
    'The limits that /v1/limits publishes are those that the service enforces, to the event, the byte and the registration.',
    'A client may rely on them without trying.',
  ],
  how: [
    'A batch of as many events as are allowed has to be accepted, and one event more has to be 413.',
    'An event of as many bytes as are allowed has to be accepted, and one byte more has to be 422.',
    'A device may change its registration as often as the burst says, and the time after that has to be 429.',
  ],
  redBy: ['blurs-sizes'],
  needs: [],
  check: async ({ client, account, name }) => {
    const { json: limits = {} } = await client.call('GET', '/v1/limits');
    const most = Number(limits.events_per_batch_max);
    const bytes = Number(limits.event_bytes_max);
    hold(Number.isInteger(most) && Number.isInteger(bytes), 'events_per_batch_max and event_bytes_max', limits);
    const authorization = await client.device(account, name('device'));
    const batch = (count: number): readonly unknown[] => Array.from({ length: count }, (_, i) => eventOf(name(`l${count}-${i}`)));
    const full = await client.send(authorization, batch(most));
    hold(full.json?.accepted === most, `a batch of ${most} accepted`, full.text);
    const over = await client.send(authorization, batch(most + 1));
    hold(over.status === 413, `413 for ${most + 1} events`, `${over.status} ${over.text}`);
    const sized = (size: number): string => {
      const bare = JSON.stringify(eventOf(name('size'), { data: { lat: 1, lon: 2, note: '' } }));
      return bare.replace('"note":""', `"note":"${'x'.repeat(size - bare.length)}"`);
    };
    const largest = await client.send(authorization, `[${sized(bytes)}]`);
    hold(largest.json?.accepted === 1, `an event of ${bytes} bytes accepted`, largest.text);
    const larger = await client.send(authorization, `[${sized(bytes + 1)}]`);
    const burst = Number(limits.device_registration_burst);
    const change = (version: number): Promise<Answer> =>
      client.register(secretAuthorization(account), name('changing'), { platform: 'ios', app_version: `${version}` });
    for (let version = 0; version < burst; version++) {
      const answer = await change(version);
      hold(answer.status < 300, `${burst} registrations of a device`, `${answer.status} ${answer.text}`);
    }
    const beyond = await change(burst);
    hold(beyond.status === 429, `429 for registration ${burst + 1} of a device`, `${beyond.status} ${beyond.text}`);
    hold(larger.status === 422, `422 for a batch of one event of ${bytes + 1} bytes`, `${larger.status} ${larger.text}`);
  },
};

export const accessRules: readonly Rule[] = [credentials, ownOnly, problems, published];
