/** R55, R56, R59, R61: who is told, by whom it is signed, and where it may go. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { startNameServer } from '#harness/webhooks/name-server.ts';
import { createReceiver, type Hit } from '#harness/webhooks/receiver.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { eventOf } from './rules-ingest.ts';
import { eventually } from './user.ts';
import { deviceOf, toEvents, withWebhooks } from './webhook-kit.ts';

/** Long enough for a service that told too early to be seen. */
const quietMs = 1000;

const confirmed: Rule = {
  id: 'R55',
  title: 'nothing but the handshake is told before it; an echo or a visit confirms, a token once and in its time',
  proves: [
    'A webhook is told nothing but its handshake until it was confirmed, by an echo of the challenge or by a visit to the link in it.',
    'The link is good once and for a limited time.',
  ],
  how: [
    'One receiver echoes the challenge, and two answer with another one: these two must not hear of an event.',
    'The link of one of them is visited, which has to make it active from then on, and a second visit has to be 410.',
    'At a service whose handshakes live for a second, a late visit has to be 410 and leave the webhook pending.',
  ],
  redBy: ['tells-unconfirmed', 'confirms-twice'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await withWebhooks({ service }, {}, async (world) => {
      const { receiver, make, told, stateOf, register, other } = world;
      for (const path of ['/silent', '/wrong']) receiver.react(path, () => ({ kind: 'answer', status: 200, body: '{"challenge":"another"}' }));
      const silent = await make(receiver.url('/silent'));
      const wrong = await make(receiver.url('/wrong'));
      await world.makeActive('/echo');
      await eventually('the handshakes', () => ['/silent', '/wrong'].every((path) => receiver.at(path).length > 0));
      await register(name('before'));
      await eventually('the event at who echoed', () => told('/echo').length === 1);
      await sleep(quietMs);
      hold(told('/silent').length + told('/wrong').length === 0, 'nothing told without a confirmation', [...told('/silent'), ...told('/wrong')]);
      hold((await stateOf(wrong.id)) === 'pending', 'pending after a wrong echo', await stateOf(wrong.id));
      const link = new URL(String(receiver.at('/silent')[0]?.data.confirm_url));
      const visit = () => other.client.call('GET', `${link.pathname}${link.search}`);
      const first = await visit();
      hold(first.status === 200 && (await stateOf(silent.id)) === 'active', '200 and active after the visit', `${first.status} ${first.text}`);
      const second = await visit();
      hold(second.status === 410 && second.json?.code === 'token-expired', '410 token-expired for a second visit', `${second.status} ${second.text}`);
      await register(name('after'));
      await eventually('what happens after the visit', () => told('/silent').length > 0);
      hold(told('/silent').map(deviceOf).join() === name('after'), 'what happens after the visit, and only that', told('/silent'));
    });
    await expired({ service });
  },
};

async function expired({ service }: Pick<RuleContext, 'service'>): Promise<void> {
  await withWebhooks({ service }, { env: { HEADROOM_WEBHOOK_HANDSHAKE_SECONDS: '1' } }, async ({ receiver, make, stateOf, other }) => {
    receiver.react('/late', () => ({ kind: 'answer', status: 200 }));
    const { id } = await make(receiver.url('/late'));
    await eventually('the handshake', () => receiver.at('/late').length > 0);
    await sleep(1100);
    const link = new URL(String(receiver.at('/late')[0]?.data.confirm_url));
    const answer = await other.client.call('GET', `${link.pathname}${link.search}`);
    hold(answer.status === 410 && (await stateOf(id)) === 'pending', '410 and pending after its time', `${answer.status} ${answer.text}`);
  });
}

const verifies = (secret: string, { headers, body }: Pick<Hit, 'headers' | 'body'>): boolean => {
  try {
    new Webhook(secret).verify(body, headers, { jsonParse: false });
    return true;
  } catch {
    return false;
  }
};

const flipped = (text: string, at: number): string => `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`;

const signed: Rule = {
  id: 'R56',
  title: 'every kind of event verifies with standardwebhooks, and with any byte flipped it does not',
  proves: [
    'Every delivery is signed so that the library standardwebhooks verifies it, over its id, its time and its body.',
    'A change of any of them is noticed.',
  ],
  how: [
    'A webhook for three kinds of event gets one of each, and all of them and the handshake have to verify.',
    'Then each character of the body, the id and the timestamp is changed in turn, and none of these may verify.',
  ],
  redBy: ['signs-another-time'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await withWebhooks({ service }, {}, async ({ makeActive, told, other: { client, account }, receiver }) => {
      const { secret } = await makeActive('/all', ['device.registered', 'device.online', 'location.latest']);
      const device = name('device');
      await client.send(await client.device(account, device), [eventOf(name('event'))]);
      await eventually('three events', () => told('/all').length >= 3);
      const kinds = told('/all')
        .map(({ type }) => type)
        .sort();
      hold(kinds.join() === 'device.online,device.registered,location.latest', 'the events that were asked for', kinds);
      for (const hit of receiver.at('/all')) {
        hold(verifies(secret, hit), `a signature that verifies for ${hit.type}`, hit.headers);
        const { type, timestamp, data } = JSON.parse(hit.body) as Record<string, unknown>;
        hold(type === hit.type && !Number.isNaN(Date.parse(String(timestamp))) && typeof data === 'object', 'a body of type, timestamp and data', hit.body);
        for (let at = 0; at < hit.body.length; at++)
          hold(!verifies(secret, { ...hit, body: flipped(hit.body, at) }), `no verification with byte ${at} of the body flipped`, hit.body);
        for (const header of ['webhook-id', 'webhook-timestamp'])
          for (let at = 0; at < (hit.headers[header] ?? '').length; at++) {
            const headers = { ...hit.headers, [header]: flipped(hit.headers[header] ?? '', at) };
            hold(!verifies(secret, { ...hit, headers }), `no verification with byte ${at} of ${header} flipped`, headers);
          }
      }
    });
  },
};

const overlapSeconds = 4;

const rotated: Rule = {
  id: 'R59',
  title: 'after a rotation both secrets sign while they overlap, then the new one alone',
  proves: [
    'A secret can be changed without losing a delivery: while old and new overlap, both sign.',
    'After that the new one signs alone, and no secret is ever shown again.',
  ],
  how: [
    "A webhook's secret is rotated with an overlap of four seconds, and one event is told within it and one after it.",
    'The first has to verify with both secrets, the second with the new one only, and reading the webhook must show none.',
  ],
  redBy: ['rotates-at-once'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await withWebhooks({ service }, {}, async ({ ask, makeActive, told, register }) => {
      const { id, secret: before } = await makeActive('/rotated');
      const rotation = await ask('POST', `/v1/webhooks/${id}/rotate`, { overlap_seconds: overlapSeconds });
      const rotatedMs = performance.now();
      const after = String(rotation.json?.secret);
      hold(rotation.status === 200 && after.startsWith('whsec_') && after !== before, '200 with another secret', rotation.text);
      await register(name('within'));
      await eventually('an event', () => told('/rotated').length === 1);
      const [within] = told('/rotated');
      if (within === undefined) return;
      hold(within.atMs - rotatedMs < overlapSeconds * 1000, 'the event within the overlap', within.atMs - rotatedMs);
      hold(verifies(before, within) && verifies(after, within), 'both signatures within the overlap', within.headers);
      await sleep(Math.max(0, rotatedMs + overlapSeconds * 1000 + 100 - performance.now()));
      await register(name('later'));
      await eventually('another event', () => told('/rotated').length === 2);
      const later = told('/rotated')[1] as Hit;
      hold(verifies(after, later) && !verifies(before, later), 'the new signature alone after the overlap', later.headers);
      const shown = await ask('GET', `/v1/webhooks/${id}`);
      hold(!shown.text.includes('whsec_'), 'no secret shown again', shown.text);
    });
  },
};

/** Each leads inside, in one of the ways to write that. */
const insides = [
  'https://127.0.0.2/',
  'https://2130706434/',
  'https://0x7f000002/',
  'https://0.0.0.0/',
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://192.168.0.1/',
  'https://100.64.0.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://[::1]/',
  'https://[fe80::1]/',
  'https://[fd00:ec2::254]/',
  'https://[::ffff:169.254.169.254]/',
  'https://[64:ff9b::a9fe:a9fe]/',
  'https://[2002:a9fe:a9fe::]/',
  'http://1.1.1.1/',
  'https://user:secret@1.1.1.1/',
  'file:///etc/passwd',
];
const insideHost = '127.0.0.2';
const rebindings = 10;

const insideOnly: Rule = {
  id: 'R61',
  title: 'nothing goes to loopback, private, link-local or metadata addresses: not by address, by name, by a name that changes, or by a redirect',
  proves: [
    'A webhook cannot be used to reach the inside of the network: no loopback, private, link-local or metadata address, however it is written.',
    'That holds for the address where a name leads at each connection, and for redirects.',
  ],
  how: [
    'Eighteen addresses that lead inside, or are no plain https, have to be 422 forbidden-url.',
    "A name server of the rule's own sends a name outside first and inside the time after, and a receiver redirects inside, while ten devices",
    'register.',
    'A receiver at the inner address must not hear a thing.',
  ],
  redBy: ['judges-addresses-once', 'takes-any-address'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    const receiver = await createReceiver();
    const inside = await createReceiver({ host: insideHost, port: receiver.port });
    // A name that leads outside whenever it is judged first, and inside the time after.
    const names = await startNameServer((n) => (n % 2 === 0 ? receiver.host : insideHost));
    const env = {
      HEADROOM_WEBHOOK_DNS_SERVER: names.address,
      HEADROOM_WEBHOOK_SCHEDULE_MS: '0,100,100,100,100,100,100,100',
      HEADROOM_WEBHOOK_BREAKER_FAILURES: '1000000',
    };
    try {
      await withWebhooks({ service }, { env, receiver }, async ({ ask, make, makeActive, register }) => {
        for (const url of insides) {
          const answer = await ask('POST', '/v1/webhooks', { url, types: ['device.registered'] });
          hold(answer.status === 422 && answer.json?.code === 'forbidden-url', `422 forbidden-url for ${url}`, `${answer.status} ${answer.text}`);
        }
        receiver.react(
          '/redirects',
          toEvents(() => ({ kind: 'answer', status: 307, headers: { location: inside.url('/redirected') } })),
        );
        await makeActive('/redirects');
        // Each attempt on a connection of its own, so that each asks for the name.
        receiver.react('/rebound', ({ data }) => ({
          kind: 'answer',
          status: 200,
          headers: { connection: 'close' },
          body: JSON.stringify({ challenge: data.challenge }),
        }));
        await make(`http://rebound.test:${receiver.port}/rebound`);
        const isInside = (): boolean => inside.hits.length > 0;
        await eventually('the name to be asked for, and to lead outside', () => isInside() || (names.asked() >= 2 && receiver.at('/rebound').length > 0));
        for (let i = 0; i < rebindings; i++) await register(name(`d${i}`));
        await eventually('the name to be asked for again and again', () => isInside() || names.asked() >= 2 * rebindings);
        await eventually('redirects to be answered', () => isInside() || receiver.at('/redirects').length > rebindings);
        await sleep(quietMs);
        hold(
          !isInside(),
          'nothing inside',
          inside.hits.map(({ path, type }) => `${path} ${type}`),
        );
      });
    } finally {
      await Promise.all([receiver.stop(), inside.stop(), names.stop()]);
    }
  },
};

export const webhookRules: readonly Rule[] = [confirmed, signed, rotated, insideOnly];
