/** R70: what an account is told that it used. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccountCredentials, publishableAuthorization, secretAuthorization } from '#harness/topology/provision.ts';
import { openStream } from '#harness/topology/stream-reader.ts';
import type { Client } from './client.ts';
import { readHistory } from './reading.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { eventOf } from './rules-ingest.ts';
import { arrived } from './user.ts';

type Used = {
  readonly events: number;
  readonly calls: number;
  readonly registrations: number;
  readonly stream_minutes: number;
  readonly active_devices: number;
};
type Asking = Pick<RuleContext, 'client' | 'account' | 'name'>;
const nothing: Used = { events: 0, calls: 0, registrations: 0, stream_minutes: 0, active_devices: 0 };

const dateOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);

/** Of yesterday, today and tomorrow: midnight may pass while the rule is asked. */
async function readUsed(client: Client, account: AccountCredentials): Promise<Used> {
  const nowMs = Date.now();
  const range = `from=${dateOf(nowMs - 86_400_000)}&to=${dateOf(nowMs + 86_400_000)}`;
  const answer = await client.call('GET', `/v1/usage?${range}`, { headers: { authorization: secretAuthorization(account) } });
  hold(answer.status === 200 && Array.isArray(answer.json?.days) && answer.json.days.length === 3, '200 with three days from /v1/usage', answer.text);
  return (answer.json.days as Used[]).reduce((sum, day) => plus(sum, day, 1), nothing);
}

const plus = (a: Used, b: Used, sign: 1 | -1): Used => ({
  events: a.events + sign * b.events,
  calls: a.calls + sign * b.calls,
  registrations: a.registrations + sign * b.registrations,
  stream_minutes: a.stream_minutes + sign * b.stream_minutes,
  active_devices: a.active_devices + sign * b.active_devices,
});

const heldMs = 1500;

/** Sends a known lot and compares. Nobody else may use the account meanwhile. */
async function holdCounts({ client, account, name }: Asking): Promise<void> {
  const before = await settled(client, account);
  let calls = 0;
  const count = <T>(answer: T): T => {
    calls++;
    return answer;
  };
  const tokens: string[] = [];
  for (let i = 0; i < 3; i++) tokens.push(count(await client.device(account, name(`d${i}`))));
  const [first = '', second = ''] = tokens;
  const batch = [eventOf(name('e0')), eventOf(name('e1')), eventOf(name('e1')), { id: name('bad'), type: 'nonsense' }];
  hold(count(await client.send(first, batch)).json?.accepted === 2, '2 of a batch with a repetition and a wrong one accepted', 'another number');
  hold(count(await client.send(first, batch)).json?.accepted === 0, 'nothing new in the same batch', 'something');
  count(await client.send(second, [eventOf(name('e0'))]));
  count(await client.send(second, '[{'));
  const register = (body: object) => client.register(publishableAuthorization(account), name('r'), body);
  const attributes = { platform: 'ios', app_version: '1' };
  const made = count(await register(attributes));
  const secret = { device_secret: made.json?.device_secret };
  count(await register({ ...attributes, ...secret }));
  count(await register({ ...attributes, ...secret, name: 'changed' }));
  // Nobody's: no account can be charged for it.
  await client.call('GET', '/v1/usage');
  const startedMs = performance.now();
  const stream = count(openStream({ url: `${client.base()}/v1/stream?ch=devices`, authorization: secretAuthorization(account) }));
  await arrived(stream, 'sync');
  await sleep(heldMs);
  stream.close();
  const mostMs = performance.now() - startedMs;
  const expected = before.calls + before.readings + calls;
  const after = await settled(client, account, expected);
  hold(after.calls === expected, `${calls} calls`, calls + after.calls - expected);
  const used = plus(after, before, -1);
  hold(used.events === 3, '3 events', used);
  hold(used.registrations === 5, '5 registrations', used);
  hold(used.active_devices === 2, '2 active devices', used);
  const minutesMax = (mostMs + 1000) / 60_000;
  hold(used.stream_minutes >= (heldMs - 50) / 60_000 && used.stream_minutes <= minutesMax, `from ${heldMs / 60_000} to ${minutesMax} stream minutes`, used);
}

/** After a quiet moment: two readings say the same, and at least `calls` of them. Each reading is a call; they are taken off again. */
async function settled(client: Client, account: AccountCredentials, calls = 0): Promise<Used & { readonly readings: number }> {
  let last = nothing;
  for (let readings = 0; ; ) {
    const now = await readUsed(client, account);
    const taken = { ...now, calls: now.calls - readings++ };
    const isStill = JSON.stringify(taken) === JSON.stringify(last) && taken.calls >= calls;
    if (isStill) return { ...taken, readings };
    hold(readings < readingsMax, `usage that stands still, with ${calls} calls`, taken);
    last = taken;
    await sleep(quietMs);
  }
}
const readingsMax = 10;
/** Longer than a worker may keep to itself what it counted. */
const quietMs = 2500;

/** What was acknowledged is counted, whoever was killed; and what is counted is in the log. */
async function holdOverKill({ client, account, name, service }: RuleContext): Promise<void> {
  const before = await settled(client, account);
  const names = Array.from({ length: 4 }, (_, i) => name(`killed${i}`));
  const senders = await Promise.all(names.map((device) => client.device(account, device)));
  let acknowledged = 0;
  const sending = senders.map(async (authorization, sender) => {
    for (let i = 0; ; i++) {
      const answer = await client.send(authorization, [eventOf(name(`k${sender}-${i}`))]).catch(() => undefined);
      if (answer === undefined) return;
      if (answer.status === 202) acknowledged++;
    }
  });
  await sleep(500);
  await service?.killAndRestart();
  await Promise.all(sending.map((each) => Promise.race([each, sleep(2000)])));
  const used = plus(await readUsed(client, account), before, -1);
  const secret = secretAuthorization(account);
  const kept = await Promise.all(names.map((device) => readHistory(client, { device, authorization: secret })));
  const inLog = kept.flat().length;
  hold(used.events >= acknowledged && used.events === inLog, `${acknowledged} acknowledged events, and ${inLog} as the log has them`, used);
  hold(used.registrations === names.length && used.active_devices === names.length, `${names.length} registrations and active devices`, used);
}

const usage: Rule = {
  id: 'R70',
  title: 'usage is what was sent: events, calls, registrations, stream minutes, active devices, over all workers and over a kill',
  proves: [
    'An account is billed for what it used and nothing else: accepted events, calls, registrations, minutes of streams, active devices.',
    'What was acknowledged is counted also over a kill, and over all workers.',
  ],
  how: [
    'A known lot is sent, with a repeated batch, wrong events, an unchanged registration and a stream of 1.5 s, and the difference in /v1/usage',
    'has to be that lot, to the call.',
    'With a service of its own it is asked again of two workers, and four devices send until a kill: the events counted then have to be those of',
    'the log, and at least those acknowledged.',
  ],
  redBy: ['bills-duplicates', 'forgets-calls'],
  needs: [],
  check: async (context) => {
    await holdCounts(context);
    if (context.service === undefined) return;
    await context.service.withService({ workers: 2 }, ({ client, account }) => holdCounts({ client, account, name: context.name }));
    await holdOverKill(context);
  },
};

export const usageRules: readonly Rule[] = [usage];
