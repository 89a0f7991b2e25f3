/** R1 to R11 but for R8: what a 202 promises. */
import { setTimeout as sleep } from 'node:timers/promises';
import { limits } from '#system/protocol/limits.ts';
import { beside } from './beside.ts';
import type { Answer } from './client.ts';
import { type Device, readExport, readHistory } from './reading.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';

export const eventOf = (id: string, change: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  id,
  type: 'location',
  recorded_at: new Date().toISOString(),
  data: { lat: 52.1, lon: 4.9 },
  ...change,
});

async function newDevice({ client, account, name }: RuleContext): Promise<Device> {
  const device = name('device');
  return { device, authorization: await client.device(account, device) };
}

/** Ids of a device's whole history, filtered and pending ones too, oldest first. */
const historyOf = async ({ client }: RuleContext, sender: Device): Promise<readonly string[]> => (await readHistory(client, sender)).map(({ id }) => id);

/** Those of these ids that the export has, in its order. */
const exportedOf = async ({ client, account }: RuleContext, wanted: readonly string[]): Promise<readonly string[]> =>
  (await readExport(client, account)).map(({ id }) => id).filter((id) => wanted.includes(id));

const accepts = (answer: Answer, accepted: number, duplicate: number): void =>
  hold(
    answer.status === 202 && answer.json?.accepted === accepted && answer.json.duplicate === duplicate,
    `202 with ${accepted} accepted and ${duplicate} duplicate`,
    `${answer.status} ${answer.text}`,
  );
const refuses = (answer: Answer, status: number, code: string): void =>
  hold(answer.status === status && answer.json?.code === code, `${status} ${code}`, `${answer.status} ${answer.text}`);
const same = (came: readonly string[], expected: readonly string[], where: string): void =>
  hold(
    JSON.stringify(came) === JSON.stringify(expected),
    `${expected.length} events in order in ${where}: ${expected.slice(0, 5).join(', ')}`,
    came.slice(0, 50),
  );

const readable: Rule = {
  id: 'R1',
  title: '202 implies readable, at once, in history and export',
  proves: [
    "An event that was answered with 202 can be read at once, in its device's history and in the account's export.",
    'Both show it once, in the order in which the events were accepted.',
  ],
  how: [
    'One device sends forty events, one a request, and each has to be answered with 202 and accepted 1.',
    'After every tenth, and at the end, its history with filtered and pending events has to be exactly the ids sent so far; at the end the export',
    'has to have them in the same order.',
  ],
  redBy: ['drops-acknowledged'],
  needs: [],
  check: async (context) => {
    const sender = await newDevice(context);
    const ids: string[] = [];
    for (let i = 0; i < 40; i++) {
      const id = context.name(`e${i}`);
      accepts(await context.client.send(sender.authorization, [eventOf(id)]), 1, 0);
      ids.push(id);
      if (i % 10 === 0) same(await historyOf(context, sender), ids, 'history');
    }
    same(await historyOf(context, sender), ids, 'history');
    same(await exportedOf(context, ids), ids, 'export');
  },
};

const survivesKill: Rule = {
  id: 'R2',
  title: 'after kill -9 every acknowledged id is there once',
  proves: [
    'A 202 outlives the process: what was acknowledged before a kill -9 is in the log after the restart.',
    'No event is there twice because of the kill.',
  ],
  how: [
    'Eight devices send one event after the other for 700 ms; then the supervisor and all workers get SIGKILL, and the service is started again',
    'on the same data.',
    'Every id that was answered with 202 has to be in the export, and each once.',
  ],
  redBy: ['drops-acknowledged'],
  needs: ['own service'],
  check: async (context) => {
    const senders = await Promise.all(Array.from({ length: 8 }, (_, i) => context.client.device(context.account, context.name(`device${i}`))));
    const acknowledged: string[] = [];
    const send = async (authorization: string, sender: number, isOver: () => boolean): Promise<void> => {
      for (let i = 0; !isOver(); i++) {
        const id = context.name(`k${sender}-${i}`);
        const answer = await context.client.send(authorization, [eventOf(id)]).catch(() => undefined);
        if (answer?.status === 202) acknowledged.push(id);
        if (answer === undefined) return;
      }
    };
    await beside(
      (isOver) => Promise.all(senders.map((authorization, sender) => send(authorization, sender, isOver))),
      async () => {
        await sleep(700);
        await context.service?.killAndRestart();
      },
    );
    hold(acknowledged.length > 0, 'acknowledged events before the kill', acknowledged.length);
    const found = await exportedOf(context, acknowledged);
    const lost = acknowledged.filter((id) => !found.includes(id));
    hold(lost.length === 0, `${acknowledged.length} acknowledged events after the restart`, `${lost.length} lost, as ${lost.slice(0, 3).join(', ')}`);
    hold(new Set(found).size === found.length, 'each once', `${found.length} lines for ${new Set(found).size} ids`);
  },
};

const duplicates: Rule = {
  id: 'R3',
  title: 'the same batch again: all duplicates, history unchanged',
  proves: [
    'An event is the pair of its device and its id, so a batch that is sent again is recognised as the same events.',
    'The repetition is counted as duplicates and leaves the log as it was.',
  ],
  how: [
    'A batch of three is sent as an array, which accepts 3, and again inside an object, which has to accept 0 and name 3 duplicates.',
    'The history before and after the second request has to be the same list of ids.',
  ],
  redBy: ['forgets-duplicates'],
  needs: [],
  check: async (context) => {
    const sender = await newDevice(context);
    const batch = [eventOf(context.name('a')), eventOf(context.name('b')), eventOf(context.name('c'))];
    accepts(await context.client.send(sender.authorization, batch), 3, 0);
    const before = await historyOf(context, sender);
    accepts(await context.client.send(sender.authorization, { events: batch }), 0, 3);
    same(await historyOf(context, sender), before, 'history');
  },
};

const oneOfMany: Rule = {
  id: 'R4',
  title: '32 concurrent sends of one id: one accepted',
  proves: [
    'When many requests bring the same event at the same moment, exactly one of them is told that it was accepted.',
    'The others are told that they repeated it, and the log has it once.',
  ],
  how: [
    'Thirty-two requests with one and the same event are sent at once.',
    'All have to be answered with 202, the accepted counts have to add up to 1, and the history has to hold that id alone.',
  ],
  redBy: ['forgets-duplicates'],
  needs: [],
  check: async (context) => {
    const sender = await newDevice(context);
    const id = context.name('one');
    const answers = await Promise.all(Array.from({ length: 32 }, () => context.client.send(sender.authorization, [eventOf(id)])));
    const accepted = answers.reduce((sum, { json }) => sum + Number(json?.accepted), 0);
    hold(
      answers.every(({ status }) => status === 202) && accepted === 1,
      'thirty-two 202 that accept 1 in all',
      `${answers.map(({ status }) => status)}: ${accepted} accepted`,
    );
    same(await historyOf(context, sender), [id], 'history');
  },
};

const idempotent: Rule = {
  id: 'R5',
  title: 'same Idempotency-Key and body: the same answer to the byte; other body: 409',
  proves: [
    'A request that is repeated under its Idempotency-Key gets the answer of the first time, to the byte.',
    'The key belongs to its body: another body under it is refused.',
  ],
  how: [
    'A batch of one good and one incomplete event is sent twice under one key: status and text of both answers have to be equal.',
    'A third request with another event under that key has to be 409 with the code idempotency-mismatch.',
  ],
  redBy: ['ignores-keys'],
  needs: [],
  check: async (context) => {
    const { authorization } = await newDevice(context);
    const key = { 'idempotency-key': context.name('key') };
    const body = JSON.stringify([eventOf(context.name('a')), { id: 'incomplete' }]);
    const first = await context.client.send(authorization, body, key);
    accepts(first, 1, 0);
    const again = await context.client.send(authorization, body, key);
    hold(again.status === first.status && again.text === first.text, first.text, again.text);
    refuses(await context.client.send(authorization, [eventOf(context.name('b'))], key), 409, 'idempotency-mismatch');
  },
};

const mixedBatch: Rule = {
  id: 'R6',
  title: 'mixed batch: valid ones accepted, invalid ones named by index, counts add up',
  proves: [
    'In a mixed batch the valid events are accepted, and each invalid one is named by its index and a code.',
    'Accepted, duplicate and rejected add up to what was sent, and a repetition within the batch is a duplicate.',
  ],
  how: [
    'A batch of six holds two new events, a number, an unknown type, a wrong date, and the first event once more.',
    'The answer has to say 2 accepted and 1 duplicate, and to reject items 1, 2 and 4, each with a code; the history has to hold the two.',
  ],
  redBy: ['counts-wrongly'],
  needs: [],
  check: async (context) => {
    const sender = await newDevice(context);
    const [a, z] = [context.name('a'), context.name('z')];
    const answer = await context.client.send(sender.authorization, [
      eventOf(a),
      7,
      eventOf(context.name('t'), { type: 'dream' }),
      eventOf(z),
      eventOf(context.name('w'), { recorded_at: 'yesterday' }),
      eventOf(a),
    ]);
    accepts(answer, 2, 1);
    const rejected = (answer.json?.rejected ?? []) as readonly { index?: unknown; code?: unknown }[];
    hold(JSON.stringify(rejected.map(({ index }) => index)) === '[1,2,4]', 'items 1, 2 and 4 rejected', answer.text);
    hold(
      rejected.every(({ code }) => typeof code === 'string' && code !== ''),
      'a code for each rejected item',
      answer.text,
    );
    same(await historyOf(context, sender), [a, z], 'history');
  },
};

const sizes: Rule = {
  id: 'R7',
  title: 'empty 400, 501 items 413, one item over 16 KiB rejected alone',
  proves: [
    'A batch without events and one with too many are refused as a whole, each with a code of its own.',
    'One event that is too large is rejected alone and takes no other with it.',
  ],
  how: [
    'An empty batch has to be 400 empty-batch, and one of 501 events 413 batch-too-large.',
    'A batch of one ordinary event and one whose note alone has the largest size of an event has to accept the first and reject item 1.',
  ],
  redBy: ['blurs-sizes'],
  needs: [],
  check: async (context) => {
    const { authorization } = await newDevice(context);
    refuses(await context.client.send(authorization, []), 400, 'empty-batch');
    refuses(
      await context.client.send(
        authorization,
        Array.from({ length: 501 }, (_, i) => eventOf(context.name(`m${i}`))),
      ),
      413,
      'batch-too-large',
    );
    const large = eventOf(context.name('large'), { data: { lat: 1, lon: 2, note: 'x'.repeat(limits.eventBytesMax) } });
    const answer = await context.client.send(authorization, [eventOf(context.name('s')), large]);
    accepts(answer, 1, 0);
    hold(JSON.stringify(answer.json?.rejected).includes('"index":1'), 'item 1 rejected', answer.text);
  },
};

const order: Rule = {
  id: 'R9',
  title: 'acknowledged before the next was sent: lower position, and first',
  proves: [
    'If one event of a device was acknowledged before the next was sent, it has the lower position and is read first.',
    'Within one batch the order of its items is kept.',
  ],
  how: [
    'Twenty events are sent one after the other under ids whose alphabetical order is another, and the positions in the answers have to grow.',
    "History has to list them as they were sent, and so has the export, with a batch of ten behind them in the batch's order.",
  ],
  redBy: ['swaps-order'],
  needs: [],
  check: async (context) => {
    const sender = await newDevice(context);
    const ids = Array.from({ length: 20 }, (_, i) => context.name(`${(i * 7) % 20}`));
    const positions: string[] = [];
    for (const id of ids) positions.push(String((await context.client.send(sender.authorization, [eventOf(id)])).json?.position));
    hold(
      positions.every((position, i) => i === 0 || position > (positions[i - 1] as string)),
      'growing positions',
      positions,
    );
    same(await historyOf(context, sender), ids, 'history');
    const batch = Array.from({ length: 10 }, (_, i) => context.name(`batch${9 - i}`));
    await context.client.send(
      sender.authorization,
      batch.map((id) => eventOf(id)),
    );
    same(await exportedOf(context, [...ids, ...batch]), [...ids, ...batch], 'export');
  },
};

const cutConnection: Rule = {
  id: 'R10',
  title: 'connection cut after the body: a retry neither loses nor doubles',
  proves: [
    'A client whose connection was cut after its request cannot know whether it was taken, and may send it again.',
    'The retry neither loses the event nor stores it twice.',
  ],
  how: [
    'Ten times a whole request is written and the connection reset without reading an answer; then the same body is sent again.',
    'Each retry has to be 202 with accepted and duplicate adding up to 1, and in the end the history has to hold the ten ids once each.',
  ],
  redBy: ['forgets-duplicates'],
  needs: [],
  check: async (context) => {
    const sender = await newDevice(context);
    const ids = Array.from({ length: 10 }, (_, i) => context.name(`cut${i}`));
    for (const id of ids) {
      const body = JSON.stringify([eventOf(id)]);
      await context.client.sendAndCut(sender.authorization, body);
      const answer = await context.client.send(sender.authorization, body);
      hold(answer.status === 202 && Number(answer.json?.accepted) + Number(answer.json?.duplicate) === 1, '202 that counts the event once', answer.text);
    }
    same([...(await historyOf(context, sender))].sort(), [...ids].sort(), 'history');
  },
};

const cutsMax = 20;
const cutPauseMs = 250;

const fullDisk: Rule = {
  id: 'R11',
  title: 'disk full: 503 with Retry-After, never 202 for what is not there',
  proves: [
    'A service that cannot store answers 503 with Retry-After: it never acknowledges what is not there.',
    'What it did acknowledge before its disk was full stays readable.',
  ],
  how: [
    'A service of its own gets a data folder on a disk of 6 MB, and one device sends events of 12 KB until three are refused.',
    'Every answer has to be 202 or 503 store-unavailable with Retry-After in seconds; at most twenty connections may be cut instead.',
    'Afterwards the history has to hold every event that was answered with 202.',
  ],
  redBy: ['acknowledges-early'],
  needs: ['own service'],
  check: async (context) => {
    await context.service?.withSmallDisk(async (other) => {
      const there = { ...context, ...other };
      const sender = await newDevice(there);
      const note = 'x'.repeat(12_000);
      const acknowledged: string[] = [];
      let refusals = 0;
      let cuts = 0;
      for (let i = 0; i < 1000 && refusals < 3; i++) {
        const id = context.name(`f${i}`);
        // A cut connection acknowledges nothing: a service may end what it cannot trust any more and start anew.
        const answer = await other.client.send(sender.authorization, [eventOf(id, { data: { lat: 1, lon: 2, note } })]).catch(() => undefined);
        if (answer === undefined) {
          cuts++;
          hold(cuts <= cutsMax, `at most ${cutsMax} connections cut`, `${cuts} of them`);
          await sleep(cutPauseMs);
        } else if (answer.status === 202) acknowledged.push(id);
        else {
          refusals++;
          refuses(answer, 503, 'store-unavailable');
          hold(/^[1-9]\d*$/.test(answer.header('retry-after') ?? ''), 'Retry-After in seconds', answer.header('retry-after') ?? 'none');
        }
      }
      hold(refusals === 3, '503 once the disk is full', `${acknowledged.length} answers 202 of 12 KB each on a disk of 6 MB`);
      const found = await historyOf(there, sender);
      const lost = acknowledged.filter((id) => !found.includes(id));
      hold(lost.length === 0, `${acknowledged.length} acknowledged events`, `${lost.length} of them are not there`);
    });
  },
};

export const ingestRules: readonly Rule[] = [readable, survivesKill, duplicates, oneOfMany, idempotent, mixedBatch, sizes, order, cutConnection, fullDisk];
