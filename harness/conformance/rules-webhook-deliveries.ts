/** R57, R58, R60, R62: how a delivery is tried until it arrives. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createReceiver, type Hit, type React, type Reaction } from '#harness/webhooks/receiver.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { eventually, soon } from './user.ts';
import { deviceOf, toEvents, type WebhookWorld, withWebhooks } from './webhook-kit.ts';

const answer = (status: number, headers: Readonly<Record<string, string>> = {}): Reaction => ({ kind: 'answer', status, headers });
const manyFailures = { HEADROOM_WEBHOOK_BREAKER_FAILURES: '1000000' };
const secondsOf = ({ headers }: Hit): number => Number(headers['webhook-timestamp']);

const sameId: Rule = {
  id: 'R57',
  title: 'over its retries an event keeps its id and its body to the byte, and each attempt has its own time',
  proves: [
    'A receiver recognises a retry: the id stays, and the body stays to the byte.',
    'The timestamp is that of the attempt, so that an old one can be told from a new one.',
  ],
  how: [
    'A receiver answers 503 twice, asking for two seconds each time, and then 200.',
    "All three attempts have to share id and body, and each timestamp has to be near the attempt's arrival, the last at least 3 s after the",
    'first.',
  ],
  redBy: ['renames-retries'],
  needs: ['own service'],
  check: async ({ service, name, boundMs }) => {
    await withWebhooks(
      { service },
      { env: { HEADROOM_WEBHOOK_SCHEDULE_MS: '0,100,100,100', ...manyFailures } },
      async ({ receiver, makeActive, told, register }) => {
        receiver.react(
          '/fails',
          toEvents((_, before) => (before < 2 ? answer(503, { 'retry-after': '2' }) : answer(200))),
        );
        await makeActive('/fails');
        await register(name('device'));
        await eventually('three attempts', () => told('/fails').length >= 3);
        const hits = told('/fails');
        hold(
          new Set(hits.map(({ id }) => id)).size === 1 && hits[0]?.id !== '',
          'one id over all attempts',
          hits.map(({ id }) => id),
        );
        hold(
          new Set(hits.map(({ body }) => body)).size === 1,
          'one body over all attempts',
          hits.map(({ body }) => body),
        );
        for (const hit of hits)
          hold(Math.abs(hit.wallMs - secondsOf(hit) * 1000) < 1000 + boundMs(1000), 'the time of the attempt', `${secondsOf(hit)} at ${hit.wallMs}`);
        hold(secondsOf(hits[2] as Hit) - secondsOf(hits[0] as Hit) >= 3, 'a fresh time with each attempt', hits.map(secondsOf));
      },
    );
  },
};

const longestWaitMs = 400;
const schedule = `0,${longestWaitMs},${longestWaitMs},${longestWaitMs}`;
const failing = 12;

const retried: Rule = {
  id: 'R58',
  title: 'retries keep to the published schedule with jitter; a redirect is a failure, 410 disables, Retry-After is a minimum, what died can be replayed',
  proves: [
    'Failed deliveries come again on the published schedule, with waits that differ, and what died can be replayed under its old ids.',
    'A redirect is a failure and is not followed, 410 disables the webhook, and Retry-After is the least that is waited.',
  ],
  how: [
    'At a service with a schedule of four attempts, twelve events go to a receiver that always fails: four attempts each, waits no longer than',
    'the schedule and spread by 30 %, then a replay.',
    'Further receivers answer 302, 410, and 429 or 503 with Retry-After of three seconds.',
  ],
  redBy: ['believes-redirects', 'ignores-retry-after'],
  needs: ['own service'],
  check: async (context) => {
    await withWebhooks(context, { env: { HEADROOM_WEBHOOK_SCHEDULE_MS: schedule, ...manyFailures } }, async (world) => {
      const limits = await world.other.client.call('GET', '/v1/limits');
      hold(JSON.stringify(limits.json?.webhook_schedule_ms) === JSON.stringify(schedule.split(',').map(Number)), `the schedule ${schedule}`, limits.text);
      await keepsSchedule(world, context);
      await redirectFails(world, context);
      await goneDisables(world, context);
      await waitsAsAsked(world, context);
    });
  },
};

async function keepsSchedule({ receiver, makeActive, told, register, ask }: WebhookWorld, { name, holdTime }: RuleContext): Promise<void> {
  receiver.react(
    '/always',
    toEvents(() => answer(500)),
  );
  const { id } = await makeActive('/always');
  for (let i = 0; i < failing; i++) await register(name(`failing${i}`));
  const deaths = async (): Promise<number> => {
    const page = await ask('GET', `/v1/webhooks/${id}/deliveries?limit=100`);
    return ((page.json?.deliveries ?? []) as { state: string }[]).filter(({ state }) => state === 'dead').length;
  };
  await eventually('all of them dead', async () => (await deaths()) === failing);
  const byId = [...Map.groupBy(told('/always'), (hit) => hit.id).values()];
  hold(
    byId.length === failing && byId.every((hits) => hits.length === 4),
    '4 attempts each',
    byId.map((hits) => hits.length),
  );
  const waitsMs = byId.flatMap((hits) => hits.slice(1).map((hit, i) => hit.atMs - (hits[i] as Hit).atMs));
  holdTime({ what: `no wait longer than ${longestWaitMs} ms, and an attempt`, tookMs: Math.max(...waitsMs), statedMs: longestWaitMs + 500, came: waitsMs });
  hold(Math.max(...waitsMs) - Math.min(...waitsMs) >= longestWaitMs * 0.3, 'waits that differ', waitsMs);
  receiver.react(
    '/always',
    toEvents(() => answer(200)),
  );
  const replay = await ask('POST', `/v1/webhooks/${id}/replay`, { from: new Date(0).toISOString() });
  hold(replay.status === 202 && replay.json?.replayed === failing, `${failing} replayed`, `${replay.status} ${replay.text}`);
  await eventually('all of them once more', () => told('/always').length === 5 * failing);
  hold(new Set(told('/always').map((hit) => hit.id)).size === failing, 'the same ids after a replay', told('/always').length);
  await ask('DELETE', `/v1/webhooks/${id}`);
}

async function redirectFails({ receiver, makeActive, told, register, ask }: WebhookWorld, { name }: RuleContext): Promise<void> {
  receiver.react(
    '/moved',
    toEvents(() => answer(302, { location: receiver.url('/elsewhere') })),
  );
  const { id } = await makeActive('/moved');
  await register(name('moved'));
  await eventually('a redirect to be tried again', () => told('/moved').length === 4);
  hold(receiver.at('/elsewhere').length === 0, 'nobody where a redirect leads', receiver.at('/elsewhere'));
  await ask('DELETE', `/v1/webhooks/${id}`);
}

async function goneDisables({ receiver, makeActive, told, register, ask }: WebhookWorld, { name }: RuleContext): Promise<void> {
  receiver.react(
    '/gone',
    toEvents(() => answer(410)),
  );
  const { id } = await makeActive('/gone');
  await register(name('gone'));
  const shown = async () => (await ask('GET', `/v1/webhooks/${id}`)).json;
  await eventually('a webhook that is disabled by 410', async () => (await shown())?.state === 'disabled');
  await register(name('gone again'.replace(' ', '-')));
  await sleep(longestWaitMs * 2);
  hold(told('/gone').length === 1 && (await shown())?.reason === 'gone', 'one attempt and the reason gone', told('/gone').length);
}

const askedSeconds = 3;

async function waitsAsAsked({ receiver, makeActive, told, register, ask }: WebhookWorld, { name }: RuleContext): Promise<void> {
  for (const status of [429, 503]) {
    const path = `/busy${status}`;
    receiver.react(
      path,
      toEvents((_, before) => (before === 0 ? answer(status, { 'retry-after': String(askedSeconds) }) : answer(200))),
    );
    const { id } = await makeActive(path);
    await register(name(`busy${status}`));
    await eventually('a second attempt', () => told(path).length === 2);
    const [first, second] = told(path) as [Hit, Hit];
    const waitedMs = Math.round(second.atMs - first.atMs);
    hold(waitedMs >= askedSeconds * 1000 - 20, `Retry-After: ${askedSeconds} with ${status} to be waited for`, `${waitedMs} ms`);
    await ask('DELETE', `/v1/webhooks/${id}`);
  }
}

const hangingMs = 3000;
const hanging = 4;
const prompt = 30;

const others: Rule = {
  id: 'R60',
  title: 'endpoints that hang, cut or answer late do not delay others, and have a bounded number of attempts open',
  proves: [
    'An endpoint that hangs or cuts costs the others nothing: they are told in time.',
    'No endpoint has more attempts open at once than the published limit.',
  ],
  how: [
    'Four receivers hang, one cuts, and one is prompt, while thirty devices register over 6 s, twice what an attempt may take.',
    'The prompt one has to hear of each within 500 ms.',
    'Before the first attempt can have timed out, none of those that hang may have had more attempts than the limit.',
  ],
  redBy: ['waits-for-each'],
  needs: ['own service'],
  check: async (context) => {
    const { service, name, holdTime } = context;
    const env = { HEADROOM_WEBHOOK_TIMEOUT_MS: String(hangingMs), HEADROOM_WEBHOOK_SCHEDULE_MS: '0,200,200,200', ...manyFailures };
    await withWebhooks({ service }, { env }, async ({ receiver, makeActive, told, register, other }) => {
      const limits = await other.client.call('GET', '/v1/limits');
      const openMax = Number(limits.json?.webhook_attempts_at_once_max);
      await makeActive('/prompt');
      for (let i = 0; i < hanging; i++) {
        receiver.react(
          `/hangs${i}`,
          toEvents(() => ({ kind: 'hang' })),
        );
        await makeActive(`/hangs${i}`);
      }
      receiver.react(
        '/cuts',
        toEvents(() => ({ kind: 'cut' })),
      );
      await makeActive('/cuts');
      const registeredMs = new Map<string, number>();
      const startedMs = performance.now();
      for (let i = 0; i < prompt; i++) {
        const device = name(`d${i}`);
        registeredMs.set(device, await register(device));
        await sleep((2 * hangingMs) / prompt);
      }
      await soon(context, { what: 'all at who is prompt', statedMs: 500, holds: () => told('/prompt').length >= prompt });
      const delaysMs = told('/prompt').map((hit) => Math.round(hit.atMs - (registeredMs.get(deviceOf(hit)) ?? 0)));
      holdTime({ what: `each while ${hanging} others hang`, tookMs: Math.max(...delaysMs), statedMs: 500, came: delaysMs });
      hold(told('/hangs0').length > 0 && told('/cuts').length > 0, 'attempts at those that hang and cut', told('/hangs0').length);
      for (let i = 0; i < hanging; i++) {
        const early = told(`/hangs${i}`).filter(({ atMs }) => atMs - startedMs < hangingMs - 200).length;
        hold(early <= openMax, `at most ${openMax} attempts open at one endpoint`, early);
      }
    });
  },
};

const toldOverAKill = 24;
/** The other requests are open, or wait, at the kill: however long the registrations took. */
const answeredBeforeKill = 4;

const survives: Rule = {
  id: 'R62',
  title: 'what happened before a kill arrives after it, under the id and with the body it had',
  proves: [
    'What happened before a kill is told after it: a delivery that was open or waiting is tried again.',
    'It keeps its id and its body, so that a receiver can tell it from another.',
  ],
  how: [
    '24 devices register while the receiver answers four deliveries and lets the others hang; then supervisor and workers get SIGKILL.',
    "Another service starts on the same data, and every device's event has to be answered, each under one id and with one body over all its",
    'attempts.',
  ],
  redBy: ['settles-before-sending'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    const receiver = await createReceiver();
    const env = { HEADROOM_WEBHOOK_TIMEOUT_MS: '1000', HEADROOM_WEBHOOK_SCHEDULE_MS: '0,500,500,500,500,500,500,500,500,500', ...manyFailures };
    const devices = Array.from({ length: toldOverAKill }, (_, i) => name(`d${i}`));
    const answered = new Set<string>();
    let isKilled = false;
    const react: React = (hit) => {
      if (!isKilled && answered.size >= answeredBeforeKill) return { kind: 'hang' };
      answered.add(deviceOf(hit));
      return answer(200);
    };
    const missing = (): readonly string[] => devices.filter((device) => !answered.has(device));
    try {
      await withWebhooks({ service }, { env, receiver }, async ({ makeActive, register, told, other }) => {
        receiver.react('/killed', toEvents(react));
        await makeActive('/killed');
        await Promise.all(devices.map(register));
        await eventually('the first to arrive', () => answered.size >= answeredBeforeKill);
        await other.kill();
        isKilled = true;
        await withWebhooks({ service }, { env, receiver, data: other.data }, async () => {
          await eventually('every event', () => missing().length === 0, 120_000).catch(() => hold(false, 'every event after the kill', missing()));
          for (const [device, hits] of Map.groupBy(told('/killed'), deviceOf))
            hold(
              new Set(hits.map(({ id, body }) => id + body)).size === 1,
              `one id and body for ${device}`,
              hits.map(({ id, body }) => id + body),
            );
        });
      });
    } finally {
      await receiver.stop();
    }
  },
};

export const deliveryRules: readonly Rule[] = [sameId, retried, others, survives];
