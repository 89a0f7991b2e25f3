/** Faults of webhooks. */
import type { PlainDeps } from '#system/app.ts';
import type { ClaimedAttempt, Store } from '#system/store/store.ts';
import { createWebhookKit, type WebhookKit } from '#system/webhooks/kit.ts';
import { createSend, type SendAnswer, type Sending } from '#system/webhooks/send.ts';
import { webhookDefaults } from '#system/webhooks/settings.ts';
import { type Fault, withHook, withStore } from './fault.ts';

const withKit =
  (change: (kit: WebhookKit) => Partial<WebhookKit>) =>
  (deps: PlainDeps): PlainDeps => {
    const kit = deps.webhooks ?? createWebhookKit(webhookDefaults);
    return { ...deps, webhooks: { ...kit, ...change(kit) } };
  };
const withSendings = (change: (sending: Sending) => Sending) => withKit(({ send }) => ({ send: (sending) => send(change(sending)) }));
const withAnswers = (change: (answer: SendAnswer) => SendAnswer) => withKit(({ send }) => ({ send: async (sending) => change(await send(sending)) }));

const hastyMs = 300;
const onItsWayMs = 1000;
let attempts = 0;
let happenings = 0;

const settled = (store: Store, { account, endpoint, lane, number, lease }: ClaimedAttempt, nowMs: number): ReturnType<Store['settleAttempt']> =>
  store.settleAttempt({
    account,
    endpoint,
    lane,
    number,
    lease,
    nowMs,
    attempt: { atMs: nowMs, tookMs: 0, status: 200 },
    outcome: { kind: 'delivered' },
    breaker: webhookDefaults.breaker,
  });

export const webhookFaults: readonly Fault[] = [
  {
    name: 'tells-unconfirmed',
    breaks: ['R55'],
    about: 'waits a moment for a handshake, and goes on without it',
    apply: withStore((store) => ({
      putEndpoint: (command) => {
        const { row, nowMs } = command;
        const hasten = () =>
          store.putEndpoint({ expected: row.version, row: { ...row, version: row.version + 1, state: { kind: 'active', sinceMs: nowMs } }, nowMs });
        if (row.state.kind === 'pending') setTimeout(() => void hasten(), hastyMs);
        return store.putEndpoint(command);
      },
    })),
  },
  {
    name: 'confirms-twice',
    breaks: ['R55'],
    about: 'says yes to a token that was used',
    apply: withHook((reply) => {
      if (reply.statusCode === 410 && reply.request.url.startsWith('/v1/webhooks/confirm')) reply.code(200);
    }),
  },
  {
    name: 'signs-another-time',
    breaks: ['R56'],
    about: 'sends another timestamp than it signed',
    apply: withSendings((sending) => ({
      ...sending,
      headers: { ...sending.headers, 'webhook-timestamp': String(Number(sending.headers['webhook-timestamp']) - 1) },
    })),
  },
  {
    name: 'renames-retries',
    breaks: ['R57'],
    about: 'gives each attempt an id of its own',
    apply: withSendings((sending) => ({ ...sending, headers: { ...sending.headers, 'webhook-id': `${sending.headers['webhook-id']}_${attempts++}` } })),
  },
  {
    name: 'believes-redirects',
    breaks: ['R58'],
    about: 'takes a redirect for success',
    apply: withAnswers((answer) => (answer.kind === 'answered' && answer.status >= 300 && answer.status < 400 ? { ...answer, status: 200 } : answer)),
  },
  {
    name: 'ignores-retry-after',
    breaks: ['R58'],
    about: 'comes back when it likes',
    apply: withAnswers((answer) => (answer.kind === 'answered' ? { ...answer, retryAfter: undefined } : answer)),
  },
  {
    name: 'rotates-at-once',
    breaks: ['R59'],
    about: 'forgets the secret before when it makes a new one',
    apply: withStore((store) => ({
      putEndpoint: (command) => store.putEndpoint({ ...command, row: { ...command.row, secrets: command.row.secrets.slice(0, 1) } }),
    })),
  },
  {
    name: 'waits-for-each',
    breaks: ['R60'],
    about: 'sends one thing at a time',
    apply: withKit(({ settings }) => ({ settings: { ...settings, attemptsAtOnceMax: 1 } })),
  },
  {
    name: 'judges-addresses-once',
    breaks: ['R61'],
    about: 'asks where a name leads when the webhook is made, and never again',
    apply: withKit(({ resolve, settings: { timeoutMs } }) => ({ send: createSend({ guard: () => 'allowed', resolve, timeoutMs }) })),
  },
  {
    name: 'takes-any-address',
    breaks: ['R61'],
    about: 'asks where a name leads only when it connects',
    apply: withKit(() => ({ guard: () => 'allowed' })),
  },
  {
    name: 'settles-before-sending',
    breaks: ['R62'],
    about: 'calls an event delivered before it sends it',
    apply: (deps) => {
      const settlesFirst = withStore((store) => ({
        claimAttempts: async (command) => {
          const claimed = await store.claimAttempts(command);
          await Promise.all(claimed.map((one) => settled(store, one, command.nowMs)));
          return claimed;
        },
      }));
      const sendsLate = withKit(({ send }) => ({ send: (sending) => new Promise((resolve) => setTimeout(() => resolve(send(sending)), onItsWayMs)) }));
      return sendsLate(settlesFirst(deps));
    },
  },
  {
    name: 'forgets-webhooks',
    breaks: [],
    about: 'tells nobody of one happening in five',
    apply: withStore((store) => ({
      enqueueOutward: async (command) =>
        command.only === undefined && happenings++ % 5 === 4 ? { kind: 'queued', endpoints: 0, dropped: 0 } : store.enqueueOutward(command),
    })),
  },
  {
    name: 'crowds-endpoints',
    breaks: [],
    about: 'sends an endpoint everything that is due at once, and goes on publishing its limit',
    apply: withStore((store) => ({ claimAttempts: (command) => store.claimAttempts({ ...command, perEndpointMax: command.limit }) })),
  },
  {
    name: 'tells-neighbours',
    breaks: [],
    about: 'tells the account that was told before too',
    apply: withStore((store) => {
      let before: string | undefined;
      return {
        enqueueOutward: async (command) => {
          const neighbour = before;
          if (command.only === undefined) before = command.account;
          if (command.only === undefined && neighbour !== undefined && neighbour !== command.account)
            await store.enqueueOutward({ ...command, account: neighbour });
          return store.enqueueOutward(command);
        },
      };
    }),
  },
];
