/** R35 to R40: what the pipeline makes of what was accepted. */
import { setTimeout as sleep } from 'node:timers/promises';
import { secretAuthorization } from '#harness/topology/provision.ts';
import { openStream } from '#harness/topology/stream-reader.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import { beside } from './beside.ts';
import type { Client } from './client.ts';
import { filterCases, filterEnvironment } from './filter-cases.ts';
import { type Device, type Line, readExport, readHistory, readMetrics } from './reading.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { arrived, eventually } from './user.ts';

type Asked = Pick<RuleContext, 'client'>;
type Event = { readonly id: string } & Readonly<Record<string, unknown>>;

/** For what hangs: a service that is killed takes its time to start on a machine that is slow and busy. */
const patienceMs = 120_000;

async function newSender({ client, account, name }: Pick<RuleContext, 'client' | 'account' | 'name'>, what: string): Promise<Device> {
  const device = name(what);
  return { device, authorization: await client.device(account, device) };
}

const hasPending = (lines: readonly Line[]): boolean => lines.some(({ disposition }) => disposition === 'pending');

/** All of a device's events once the pipeline has stepped over them. */
async function settledOf(asked: Asked, sender: Device, count: number): Promise<readonly Line[]> {
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    const lines = await readHistory(asked.client, sender);
    if (lines.length >= count && !hasPending(lines)) return lines;
    hold(performance.now() < untilMs, `${count} events stepped over within ${patienceMs / 1000} s`, lines.map(({ disposition }) => disposition).slice(-5));
    await sleep(50);
  }
}

const location = (id: string, atMs: number, data: Readonly<Record<string, unknown>>): Event => ({
  id,
  type: 'location',
  recorded_at: new Date(atMs).toISOString(),
  data,
});

async function sendAll({ client }: Asked, { authorization }: Device, events: readonly Event[]): Promise<void> {
  const answer = await client.send(authorization, events);
  hold(answer.status === 202 && answer.json?.accepted === events.length, `202 with ${events.length} accepted`, `${answer.status} ${answer.text}`);
}

const latestOf = ({ client }: Asked, { device, authorization }: Device) => client.call('GET', `/v1/devices/${device}/location`, { headers: { authorization } });

function shuffled<T>(values: readonly T[]): readonly T[] {
  const all = [...values];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}

/** Ten seconds and hundred metres apart; the third has a twin of the same time, a few metres on, whose id decides. */
function pointsOf(name: (what: string) => string, mark: string): readonly Event[] {
  const beginMs = Date.now() - 120_000;
  const points = Array.from({ length: 6 }, (_, i) => location(name(`${mark}-a${i}`), beginMs + i * 10_000, { lat: 52 + i * 0.001, lon: 4.9, accuracy: 5 }));
  const twin = location(name(`${mark}-b5`), beginMs + 50_000, { lat: 52.00505, lon: 4.9, accuracy: 5 });
  return [...points, twin];
}
const rankOf = (event: Event): string => `${String(event.recorded_at)} ${event.id}`;

const forward: Rule = {
  id: 'R35',
  title: 'the latest location never moves back, in whatever order its points come; of one time the higher id is later',
  proves: [
    'The latest location of a device is the one recorded last, in whatever order its points arrive.',
    'Of two points of the same time the one with the higher id is later.',
  ],
  how: [
    'In four rounds seven points, two of them of the same time, are sent shuffled, in batches of one to four.',
    "After each batch, once the pipeline has stepped over it, the device's location has to be the latest of those that came so far.",
  ],
  redBy: ['latest-by-arrival'],
  needs: [],
  check: async (context) => {
    for (let round = 0; round < 4; round++) {
      const sender = await newSender(context, `device${round}`);
      const order = shuffled(pointsOf(context.name, `${round}`));
      const size = 1 + round;
      let highest = '';
      for (let at = 0; at < order.length; at += size) {
        const batch = order.slice(at, at + size);
        await sendAll(context, sender, batch);
        await settledOf(context, sender, Math.min(order.length, at + size));
        for (const event of batch) if (rankOf(event) > highest) highest = rankOf(event);
        const answer = await latestOf(context, sender);
        const came = answer.status === 200 ? `${String(answer.json?.recorded_at)} ${String(answer.json?.id)}` : answer.text;
        hold(came === highest, `the latest of what came, ${highest}`, came);
      }
    }
  },
};

const late: Rule = {
  id: 'R36',
  title: 'a late point reaches history, and neither the latest location nor a stream',
  proves: [
    'A point that arrives after a younger one belongs to history, and is news to nobody.',
    'It changes neither the latest location nor what a stream tells.',
  ],
  how: [
    'A stream watches a device while a young point and then an old one are sent: the old one has to be kept in history, and the location has to',
    'stay.',
    'Then a third, younger still, is sent; once that is on the stream, no frame of the old one may have come.',
  ],
  redBy: ['latest-by-arrival'],
  needs: [],
  check: async (context) => {
    const sender = await newSender(context, 'device');
    const [old, , , , , young] = pointsOf(context.name, 'p') as [Event, Event, Event, Event, Event, Event];
    const url = `${context.client.base()}/v1/stream?ch=device:${sender.device}`;
    const reader = openStream({ url, authorization: secretAuthorization(context.account) });
    await arrived(reader, 'sync');
    const shown = (): readonly unknown[] => reader.frames.flatMap(({ t, d }) => (t === 'put' ? [(d as { location?: { id?: string } }).location?.id] : []));
    await sendAll(context, sender, [young]);
    await eventually('the young point on the stream', () => shown().includes(young.id));
    await sendAll(context, sender, [old]);
    const lines = await settledOf(context, sender, 2);
    hold(lines.find(({ id }) => id === old.id)?.disposition === 'kept', 'the late point kept in history', lines);
    // A third, younger still: once it is on the stream, what came before it would be too.
    const third = location(context.name('third'), Date.now() - 1000, { lat: 52.02, lon: 4.9, accuracy: 5 });
    const before = await latestOf(context, sender);
    hold(before.json?.id === young.id, `the latest location to stay ${young.id}`, before.text);
    await sendAll(context, sender, [third]);
    await eventually('the third point on the stream', () => shown().includes(third.id));
    hold(!shown().includes(old.id), 'no frame of the late point', shown());
    reader.close();
  },
};

type Totals = { readonly accepted: number; readonly pending: number; readonly kept: number; readonly filtered: number };

async function totalsOf({ client }: Asked): Promise<Totals> {
  const metrics = await readMetrics(client);
  const of = (name: string): number => metrics(name) ?? 0;
  return {
    accepted: of(metricNames.eventsAccepted),
    pending: of(metricNames.eventsPending),
    kept: of(metricNames.eventsKept),
    filtered: of(metricNames.eventsFiltered),
  };
}

type Conserving = Pick<RuleContext, 'client' | 'account' | 'name'> & { readonly disturb: () => Promise<void> };

/** Every third point is at 0, 0: how many have to be kept and filtered is known beforehand. */
async function holdConserved({ client, account, name, disturb }: Conserving, mark: string): Promise<void> {
  const senders = await Promise.all(Array.from({ length: 8 }, (_, i) => newSender({ client, account, name }, `${mark}${i}`)));
  // What was pending before is kept meanwhile, and looks like ours. After a point of our own nothing pending means that all was counted.
  const sender = await newSender({ client, account, name }, `${mark}-before`);
  await sendUntilAccepted(client, sender, location(name(`${mark}-first`), Date.now(), { lat: 52, lon: 4.9 }));
  await eventuallyIdle({ client });
  const before = await totalsOf({ client });
  const accepted = new Set<string>();
  const send = async (sender: Device, s: number, isOver: () => boolean): Promise<void> => {
    for (let i = 0; !isOver(); i++) {
      const place = i % 3 === 2 ? { lat: 0, lon: 0 } : { lat: 52 + s * 0.1 + i * 1e-5, lon: 4.9 };
      const event = location(name(`${mark}${s}-${i}`), Date.now(), place);
      await sendUntilAccepted(client, sender, event);
      accepted.add(event.id);
    }
  };
  await beside(
    (isOver) => Promise.all(senders.map((sender, s) => send(sender, s, isOver))),
    async () => {
      await sleep(700);
      await disturb();
      await sleep(700);
    },
  );
  await eventuallyIdle({ client });
  const after = await totalsOf({ client });
  hold(after.kept + after.filtered + after.pending === after.accepted, 'kept + filtered + pending = accepted', after);
  const lines = (await readExport(client, account)).filter(({ id }) => accepted.has(id));
  const zeros = [...accepted].filter((id) => Number(id.slice(id.lastIndexOf('-') + 1)) % 3 === 2);
  const filtered = lines.filter(({ disposition }) => disposition === 'filtered:zero').map(({ id }) => id);
  hold(lines.length === accepted.size, `${accepted.size} events in the export`, lines.length);
  hold(JSON.stringify(filtered.sort()) === JSON.stringify(zeros.sort()), `${zeros.length} points filtered as zero`, filtered.length);
  const gained = { accepted: after.accepted - before.accepted, kept: after.kept - before.kept, filtered: after.filtered - before.filtered };
  hold(
    gained.filtered === zeros.length && gained.kept === accepted.size - zeros.length,
    `counters that grew by ${accepted.size} events, ${zeros.length} of them filtered`,
    gained,
  );
}

/** A retry of what was cut may be a duplicate: both are one event. */
async function sendUntilAccepted(client: Client, { authorization }: Device, event: Event): Promise<void> {
  const untilMs = performance.now() + patienceMs;
  while (performance.now() < untilMs) {
    const answer = await client.send(authorization, [event]).catch(() => undefined);
    if (answer?.status === 202) return;
    await sleep(20);
  }
  hold(false, `a 202 within ${patienceMs / 1000} s`, 'none');
}

async function eventuallyIdle(asked: Asked): Promise<void> {
  const untilMs = performance.now() + patienceMs;
  for (let totals = await totalsOf(asked); totals.pending > 0 || totals.accepted === 0; totals = await totalsOf(asked)) {
    hold(performance.now() < untilMs, `nothing pending within ${patienceMs / 1000} s`, totals);
    await sleep(200);
  }
}

const conserved: Rule = {
  id: 'R37',
  title: 'kept + filtered + pending = accepted, exactly and event by event, also over a kill of all workers or of one',
  proves: [
    'Every accepted event is pending, kept, or filtered under a reason, and the counters say exactly that.',
    'Neither a kill of all workers nor of one makes an event count twice or not at all.',
  ],
  how: [
    'Eight devices send points of which every third lies at 0, 0, while after 700 ms the whole service is killed and started again; at a second',
    'service with two workers one of them is killed.',
    'Once nothing is pending, kept and filtered have to add up to accepted, and to have grown by exactly the events that were acknowledged.',
    'Event by event the export has to show those at 0, 0 as filtered:zero.',
  ],
  redBy: ['counts-filtered-twice'],
  needs: ['own service'],
  check: async ({ client, account, name, service }) => {
    await holdConserved({ client, account, name, disturb: async () => service?.killAndRestart() }, 'all');
    await service?.withService({ workers: 2 }, async (other) => {
      await holdConserved({ ...other, name, disturb: async () => other.killWorker() }, 'one');
    });
  },
};

const sides: Rule = {
  id: 'R38',
  title: 'each filter keeps what is on one side of its threshold and filters what is on the other, under its own name',
  proves: [
    'Each of the twelve filters keeps a point that is just on the right side of its threshold and filters one that is just beyond it.',
    "What is filtered carries that filter's name, not a neighbour's.",
  ],
  how: [
    'A service of its own gets known thresholds, and for each filter a new device sends two or three points on both sides, seven for the daily',
    'limit.',
    'Its history has to show, in order, kept or filtered:<name> for each.',
  ],
  redBy: ['doubles-thresholds'],
  needs: ['own service'],
  check: async ({ name, service }) => {
    await service?.withService({ env: filterEnvironment }, async ({ client, account }) => {
      for (const { reason, events } of filterCases(Date.now())) {
        const sender = await newSender({ client, account, name }, reason);
        const sent = events.map(({ atMs, data }, i) => location(name(`${reason}${i}`), atMs, data));
        await sendAll({ client }, sender, sent);
        const lines = await settledOf({ client }, sender, sent.length);
        const expected = events.map(({ outcome }) => (outcome === 'kept' ? 'kept' : `filtered:${outcome}`));
        const came = lines.map(({ disposition }) => disposition);
        hold(JSON.stringify(came) === JSON.stringify(expected), `${reason}: ${expected.join(', ')}`, came.join(', '));
      }
    });
  },
};

const stateTypes = ['battery', 'permission', 'activity', 'trip'] as const;

const exempt: Rule = {
  id: 'R39',
  title: 'a change of state is never filtered, whatever its time and place',
  proves: [
    'A change of battery, permission, activity or trip is a fact whatever its time and place, and no filter takes it.',
    'It is kept even where it looks invalid, old, or like the one before.',
  ],
  how: [
    'A device sends four events of each of these types: thirty years old, now, now once more, and thirty years ahead.',
    'All claim to be at 0, 0 with a negative accuracy, and to be invalid; sent as locations they would meet several filters.',
    'All sixteen have to be kept.',
  ],
  redBy: ['filters-states'],
  needs: ['own service'],
  check: async ({ name, service }) => {
    await service?.withService({ env: filterEnvironment }, async ({ client, account }) => {
      const sender = await newSender({ client, account, name }, 'device');
      const nowMs = Date.now();
      const years = 30 * 365 * 86_400_000;
      const events = stateTypes.flatMap((type) =>
        [nowMs - years, nowMs, nowMs, nowMs + years].map((atMs, i) => ({
          ...location(name(`${type}${i}`), atMs, { lat: 0, lon: 0, accuracy: -1, speed: 0, valid: false, state: 'same' }),
          type,
        })),
      );
      await sendAll({ client }, sender, events);
      const lines = await settledOf({ client }, sender, events.length);
      hold(
        lines.length === events.length && lines.every(({ disposition }) => disposition === 'kept'),
        'every change of state kept',
        lines.filter(({ disposition }) => disposition !== 'kept'),
      );
    });
  },
};

const pages: Rule = {
  id: 'R40',
  title: 'pages of history, read while events come in: nothing twice, nothing missing, in order of acceptance',
  proves: [
    'History read page by page has every event once, in order of acceptance, also while new ones come in.',
    "A page ends where the next begins, whatever the page's size.",
  ],
  how: [
    'A device has sent 120 events and goes on, one a request, while its history is read in pages of 7 and 50 with what is filtered, and of 11',
    'without.',
    'Each reading has to be a gapless begin of what was sent, with growing positions, and hold at least the first 120 where pending ones are',
    'shown.',
    'In the end pages of 13 have to hold everything.',
  ],
  redBy: ['skips-between-pages'],
  needs: [],
  check: async (context) => {
    const sender = await newSender(context, 'device');
    const beginMs = Date.now() - 600_000;
    const pointAt = (i: number): Event => location(context.name(`e${i}`), beginMs + i * 1000, { lat: 52 + i * 0.0001, lon: 4.9, accuracy: 5 });
    const first = Array.from({ length: 120 }, (_, i) => pointAt(i));
    await sendAll(context, sender, first);
    let sent = first.length;
    const write = async (isOver: () => boolean): Promise<void> => {
      for (; !isOver() && sent < 500; sent++) await sendAll(context, sender, [pointAt(sent)]);
    };
    await beside(write, async () => {
      for (const query of ['include=filtered&limit=7', 'include=filtered&limit=50', 'limit=11'])
        holdPages(await readHistory(context.client, sender, query), first, query.startsWith('limit') ? 0 : first.length);
    });
    await settledOf(context, sender, sent);
    const kept = await readHistory(context.client, sender, 'limit=13');
    holdPages(
      kept,
      Array.from({ length: sent }, (_, i) => pointAt(i)),
      sent,
    );
  },
};

/** Of kept ones only, those that were still pending when they were read may be missing, but none between two that are there. */
function holdPages(lines: readonly Line[], sent: readonly Event[], least: number): void {
  const came = lines.map(({ id }) => id);
  hold(lines.length >= least, `${least} events at least`, lines.length);
  hold(new Set(came).size === came.length, 'no event twice', came.filter((id, i) => came.indexOf(id) !== i).slice(0, 5));
  const expected = sent.map(({ id }) => id).slice(0, came.length);
  const shown = came.slice(0, expected.length);
  const wrong = expected.findIndex((id, i) => id !== shown[i]);
  hold(wrong === -1, `the events in order of acceptance without a gap, at ${wrong} ${expected[wrong]}`, shown[wrong]);
  hold(
    lines.every(({ position }, i) => i === 0 || position > (lines[i - 1] as Line).position),
    'growing positions',
    came.slice(0, 5),
  );
}

export const pipelineRules: readonly Rule[] = [forward, late, conserved, sides, exempt, pages];
