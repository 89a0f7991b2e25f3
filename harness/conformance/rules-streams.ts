/** R22 to R32: how a stream lives and ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamReader } from '#harness/topology/stream-reader.ts';
import type { Client } from './client.ts';
import { eventStream, holdsRetry, isSentOn } from './event-stream-goodbye.ts';
import { readMetrics } from './reading.ts';
import { hold, type Rule } from './rule.ts';
import { arrived, changesOf, eventually, lastCursor, newUser, shownChanges, soon } from './user.ts';

const heartbeatMs = 1000;
/** Of the streams that a drain ends. */
const eventStreams = 10;

const heartbeats: Rule = {
  id: 'R22',
  title: 'in silence a frame comes at least every heartbeat; under traffic none that says nothing',
  proves: [
    'A client knows that its stream lives: where nothing changes, a heartbeat comes at least every hb · 1.1 + 250 ms and carries the cursor.',
    'Where changes come anyway, a heartbeat would say nothing and is not sent.',
  ],
  how: [
    'A stream with a heartbeat of a second is watched for six seconds of silence, and no pause may be longer than the bound.',
    'Then a change is written every 200 ms, twelve times, and at most one heartbeat may come between them.',
  ],
  redBy: ['no-heartbeats'],
  needs: [],
  check: async (context) => {
    const { client, account, name } = context;
    const user = await newUser(client, account, name('user'));
    const reader = await user.listen(`ch=sync:trips&hb=${heartbeatMs}`);
    for (const endMs = performance.now() + 6 * heartbeatMs; performance.now() < endMs; ) {
      const seen = reader.arrivedAtMs.length;
      await soon(context, { what: 'a frame', statedMs: heartbeatMs * 1.1 + 250, holds: () => reader.arrivedAtMs.length > seen });
    }
    const beats = reader.frames.filter(({ t }) => t === 'hb');
    hold(beats.length >= 1 && beats.every(({ c }) => c === lastCursor(reader)), 'heartbeats with the cursor', reader.frames);
    const before = beats.length;
    // A machine that stops writes late, and then a heartbeat is right: one for each second in which nothing can have come.
    let pauses = 0;
    let lastMs = performance.now();
    for (let i = 0; i < 12; i++) {
      const begunMs = lastMs;
      lastMs = performance.now();
      await user.put('trips', 't', { i });
      pauses += Math.floor((performance.now() - begunMs) / (heartbeatMs * 0.9));
      await sleep(200);
    }
    const after = reader.frames.filter(({ t }) => t === 'hb').length;
    hold(after - before <= 1 + pauses, 'no heartbeat where changes come every 200 ms', `${after - before}`);
    reader.close();
  },
};

const opening: Rule = {
  id: 'R24',
  title: 'hello within 100 ms, chunked, a frame a line',
  proves: ['A stream says hello within 100 ms, as chunks of NDJSON in which no frame is split over lines.', 'A frame has at most 64 KiB, whatever it carries.'],
  how: [
    'Twenty streams are opened one after the other over an item with line breaks in its text and 30,000 further characters; one of them may be',
    'late, since the machine is shared.',
    "Each has to begin with hello, be chunked and of the type application/x-ndjson, and end every chunk with a line's end.",
  ],
  redBy: ['late-hello'],
  needs: [],
  check: async ({ client, account, name, holdTime }) => {
    const user = await newUser(client, account, name('user'));
    await user.put('trips', 't', { text: 'a\nb\u2028c', long: 'x'.repeat(30_000) });
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const begunMs = performance.now();
      const reader = await user.open('ch=sync:trips&since=-1');
      await arrived(reader, 'hello');
      times.push((reader.arrivedAtMs[0] ?? Number.POSITIVE_INFINITY) - begunMs);
      // One of twenty may be the machine's.
      const secondSlowestMs = times.toSorted((a, b) => b - a)[1] ?? 0;
      holdTime({ what: 'hello', tookMs: secondSlowestMs, statedMs: 100, came: times.map(Math.round) });
      await arrived(reader, 'sync');
      reader.close();
      hold(reader.header('transfer-encoding') === 'chunked', 'Transfer-Encoding: chunked', reader.header('transfer-encoding'));
      hold(reader.header('content-type')?.startsWith('application/x-ndjson') === true, 'application/x-ndjson', reader.header('content-type'));
      hold(
        reader.frames[0]?.t === 'hello' && reader.chunks.every((chunk) => chunk.endsWith('\n')),
        'hello first and whole lines in each chunk',
        reader.chunks.map((chunk) => chunk.slice(-20)),
      );
      for (const line of reader.chunks.join('').trim().split('\n'))
        hold(Buffer.byteLength(line) < 65_536 && line.endsWith('}'), 'a frame of at most 64 KiB a line', line.slice(0, 100));
    }
  },
};

const slowReader: Rule = {
  id: 'R25',
  title: 'a reader that stops is cut, and others do not feel it',
  proves: [
    'A reader that stops reading is cut once too much waits for it, or it has taken nothing for ten seconds.',
    'Others on the same channel do not feel it, and whoever was cut loses nothing by coming back.',
  ],
  how: [
    "Two streams listen, one of them stops reading, and 160 changes of 50 KB are written, more than the kernel's buffers hide.",
    'The other has to get them all, the stopped one has to be cut, and a change after that has to reach the other in a second.',
    'What the stopped one read, with a stream from its last cursor, has to make up all 161 changes.',
  ],
  redBy: ['never-cuts'],
  needs: [],
  check: async (context) => {
    const { client, account, name, service } = context;
    const user = await newUser(client, account, name('user'));
    const [stopped, other] = [await user.listen('ch=sync:trips'), await user.listen('ch=sync:trips')];
    stopped.socket.pause();
    const note = 'x'.repeat(50_000);
    // The kernel's buffers hide about 4 MB.
    for (let i = 0; i < 160; i++) await user.put('trips', `k${i % 5}`, { i, note });
    await eventually('the other reader to have everything', () => changesOf(other).length >= 160);
    await cutByNow(client, service !== undefined);
    stopped.socket.resume();
    await eventually('the stopped reader to be cut', () => stopped.state() === 'ended', 2000);
    await user.put('trips', 'last', {});
    await soon(context, { what: 'a change at the other reader', statedMs: 1000, holds: () => changesOf(other).some(({ k }) => k === 'last') });
    hold(changesOf(stopped).length < 160, 'a part only for who did not read', changesOf(stopped).length);
    const resumed = await user.listen(`ch=sync:trips&since=${lastCursor(stopped)}`);
    hold(changesOf(stopped).length + changesOf(resumed).length === 161, 'nothing lost to who was cut and came back', [
      changesOf(stopped).length,
      changesOf(resumed).length,
    ]);
    for (const reader of [other, resumed]) reader.close();
  },
};

/** Undrained for ten seconds is cut, where the bytes alone were not enough. A service that nobody else asks says itself when that is. */
const undrainedMs = 15_000;

async function cutByNow(client: Client, isOurs: boolean): Promise<void> {
  const endMs = performance.now() + undrainedMs;
  const isCut = async (): Promise<boolean> => isOurs && (await readMetrics(client))('headroom_streams') === 1;
  while (performance.now() < endMs && !(await isCut())) await sleep(100);
}

const shortLives = { env: { HEADROOM_STREAM_AGE_MS: '1500' } };

const byes: Rule = {
  id: 'R27',
  title: 'every bye has a cursor that resumes',
  proves: [
    'A stream that the service ends says bye with a reason, a time to wait, and a cursor.',
    'From that cursor a client goes on without losing or repeating a change.',
  ],
  how: [
    'A service of its own lets streams live for 1.5 s; one stream ends by its age, and another by its token, which lives for a second.',
    'Five changes come before and one while both are away; each bye has to carry retry_ms.',
    'What was read before it and from its cursor on has to be the six changes, once each.',
  ],
  redBy: ['bye-without-cursor'],
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService(shortLives, async ({ client, account }) => {
      const user = await newUser(client, account, name('user'));
      const passing = await newUser(client, account, name('user'), { expiresIn: 1 });
      const readers = [await user.listen('ch=sync:trips'), await passing.listen('ch=sync:trips')];
      for (let i = 0; i < 5; i++) await user.put('trips', `k${i}`, {});
      await Promise.all(readers.map(({ ended }) => ended));
      hold(
        readers.map(({ frames }) => frames.at(-1)?.code).join() === 'age,token',
        'bye age and bye token',
        readers.map(({ frames }) => frames.at(-1)),
      );
      await user.put('trips', 'while-away', {});
      for (const reader of readers) {
        const bye = reader.frames.at(-1);
        hold(typeof bye?.retry_ms === 'number', 'retry_ms in a bye', bye);
        const resumed = await user.listen(`ch=sync:trips&since=${bye?.c}`);
        const joined = [...shownChanges(reader.frames), ...shownChanges(resumed.frames)];
        resumed.close();
        hold(joined.length === 6 && new Set(joined).size === 6, 'everything once, over the bye', joined);
      }
    });
  },
};

const ages: Rule = {
  id: 'R28',
  title: 'streams that opened together do not end together',
  proves: [
    'Streams that opened in the same moment end at different times, so that a service is not met by all of them coming back at once.',
    'Each says its age in hello, and bye age at its end.',
  ],
  how: [
    'A hundred streams are opened together at a service where they live for 1.5 to 3 s.',
    'All ages have to lie in that range, and no window of 150 ms may have more than 40 of them.',
    'Every stream has to end with bye age, and not a second after its age.',
  ],
  redBy: ['same-age'],
  needs: ['own service'],
  check: async ({ service, name, holdTime }) => {
    await service?.withService(shortLives, async ({ client, account }) => {
      const user = await newUser(client, account, name('user'));
      const readers = await Promise.all(Array.from({ length: 100 }, () => user.open('ch=sync:trips')));
      const endsMs = await Promise.all(readers.map(({ ended }) => ended.then(() => performance.now())));
      const ages = readers.map(({ frames }) => Number(frames[0]?.age));
      hold(
        ages.every((age) => age >= 1500 && age <= 3000),
        'ages from 1,500 to 3,000 ms',
        [Math.min(...ages), Math.max(...ages)],
      );
      const inOneTenth = Math.max(...ages.map((from) => ages.filter((age) => age >= from && age < from + 150).length));
      hold(inOneTenth <= 40, 'at most 40 of 100 ages within a tenth of the spread', inOneTenth);
      const lateMs = endsMs.map((endMs, i) => endMs - (readers[i]?.arrivedAtMs[0] ?? 0) - (ages[i] ?? 0));
      holdTime({ what: 'the end of a stream after its age', tookMs: Math.max(...lateMs), statedMs: 1000 });
      const gone = readers.map(({ frames }) => frames.at(-1));
      hold(
        gone.every((bye) => bye?.t === 'bye' && bye.code === 'age'),
        'bye age',
        gone.find((bye) => bye?.code !== 'age'),
      );
    });
  },
};

const drain: Rule = {
  id: 'R29',
  title: 'a drain: not ready within a second, no new streams, all gone within the window, nothing lost',
  proves: [
    'A service that is told to stop says within a second that it is not ready, takes no new streams, and says goodbye to those it has, spread',
    'over its window.',
    'What is written until a goodbye is on that stream, and its cursor leads on.',
    'An EventSource is not ended for good: the goodbye of an event stream has a retry: line that leads past the window, and one that comes',
    'meanwhile is answered with 200, a goodbye and the end.',
  ],
  how: [
    'Fifty streams, ten of them event streams, listen to a service with a window of 2 s, which then gets SIGTERM while five changes are written.',
    'A new stream has to be 503, a new event stream 200 with a goodbye, all fifty have to end with bye drain and a cursor in time, over more than a quarter of the window.',
    'Each has to have read a gapless begin of what was written.',
  ],
  redBy: ['drops-at-drain', 'refuses-event-sources', 'bye-without-retry'],
  needs: ['own service'],
  check: async (context) => {
    const { service, name, holdTime, neededNoStop } = context;
    const windowMs = 2000;
    await service?.withService({ env: { HEADROOM_DRAIN_WINDOW_MS: String(windowMs) } }, async ({ client, account, stop }) => {
      const user = await newUser(client, account, name('user'));
      const listen = (headers = {}) => user.listen('ch=sync:trips', headers);
      const readers = await Promise.all(Array.from({ length: 50 }, (_, i) => listen(i < eventStreams ? eventStream : {})));
      const begunMs = performance.now();
      const stopping = stop();
      // Who does not answer any more is not ready either.
      const isNotReady = (): Promise<boolean> =>
        client.call('GET', '/readyz').then(
          ({ status }) => status === 503,
          () => true,
        );
      await soon(context, { what: 'readyz 503', statedMs: 1000, holds: isNotReady });
      const refused = await user.open('ch=sync:trips');
      const late = await user.open('ch=sync:trips', eventStream);
      const answeredAtMs = performance.now();
      const written: string[] = [];
      for (let i = 0; i < 5; i++) {
        const { status } = await user.put('trips', `d${i}`, {}).catch(() => ({ status: 0 }));
        if (status < 300 && status > 0) written.push(`put sync:trips d${i} v1`);
      }
      const ends = await Promise.all(readers.map(({ ended }) => ended.then(() => performance.now() - begunMs)));
      for (const { frames } of readers) hold(frames.at(-1)?.code === 'drain' && frames.at(-1)?.c !== undefined, 'bye drain with a cursor', frames.at(-1));
      // Asked late, it finds nobody: the drain was over.
      if (refused.status() === undefined || late.status() === undefined) neededNoStop('to ask for a stream while others are drained', windowMs / 4);
      hold(refused.status() === 503, '503 for a new stream', refused.status());
      // The drain began later than this clock, and what left it came later: both only shorten what is left.
      const windowEndsMs = begunMs + windowMs;
      await isSentOn({ reader: late, windowEndsMs, answeredAtMs });
      for (const reader of readers.slice(0, eventStreams)) holdsRetry({ reader, windowEndsMs });
      holdTime({ what: 'all streams to be gone', tookMs: Math.max(...ends), statedMs: windowMs + 1500 });
      const spreadMs = Math.max(...ends) - Math.min(...ends);
      if (spreadMs <= windowMs / 4) neededNoStop('goodbyes that are spread over the window', windowMs / 4);
      hold(spreadMs > windowMs / 4, 'goodbyes that are spread over the window', ends.map(Math.round));
      for (const { frames } of readers) {
        const seen = shownChanges(frames);
        hold(seen.join() === written.slice(0, seen.length).join(), 'what was written until the bye, in order', seen);
      }
      await stopping;
    });
  },
};

const lostPokes: Rule = {
  id: 'R30',
  title: 'with every poke lost, everything still arrives within the position check',
  proves: [
    'Workers tell each other of news by pokes, and a poke may be lost.',
    "Each worker therefore compares its position with the log's from time to time, and everything still arrives.",
  ],
  how: [
    'The rule is asked of a service that loses every poke, the twin loses-pokes, with a check every 500 ms.',
    'Ten changes are written, and all of them have to arrive in order within the check and a second.',
  ],
  redBy: ['deaf'],
  needs: ['own service'],
  check: async (context) => {
    const { service, name } = context;
    const checkMs = 500;
    await service?.withService({ twinOtherwise: 'loses-pokes', env: { HEADROOM_POSITION_CHECK_MS: String(checkMs) } }, async ({ client, account }) => {
      const user = await newUser(client, account, name('user'));
      const reader = await user.listen('ch=sync:trips');
      for (let i = 0; i < 10; i++) await user.put('trips', `k${i}`, {});
      await soon(context, { what: 'ten changes', statedMs: checkMs + 1000, holds: () => changesOf(reader).length === 10 });
      hold(
        shownChanges(reader.frames).join() === Array.from({ length: 10 }, (_, i) => `put sync:trips k${i} v1`).join(),
        'all in order',
        shownChanges(reader.frames),
      );
      reader.close();
    });
  },
};

const events: Rule = {
  id: 'R31',
  title: 'Last-Event-ID beats since; server-sent events and NDJSON carry the same',
  proves: [
    "Server-sent events and NDJSON are two forms of one stream and carry the same frames; in the former each cursor is the event's id.",
    'A browser that comes back sends Last-Event-ID, and that counts more than the since of the address.',
  ],
  how: [
    'Six changes are read from the begin in both forms, which have to be equal but for hello, and each cursor has to stand in an id line.',
    'A third stream with since=-1 and the third cursor as Last-Event-ID has to tell the last three changes only.',
  ],
  redBy: ['ignores-last-event-id'],
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    for (let i = 0; i < 6; i++) await user.put('trips', `k${i}`, { i });
    const lines = await user.listen('ch=sync:trips&since=-1');
    const sse = await user.listen('ch=sync:trips&since=-1', { Accept: 'text/event-stream' });
    hold(sse.header('content-type')?.startsWith('text/event-stream') === true, 'text/event-stream', sse.header('content-type'));
    const same = (reader: StreamReader): string => JSON.stringify(reader.frames.filter(({ t }) => t !== 'hello'));
    hold(same(lines) === same(sse), 'the same frames in both forms', same(sse));
    for (const { c } of changesOf(sse))
      hold(
        sse.chunks.some((chunk) => chunk.includes(`id: ${c}\n`)),
        `id: ${c}`,
        sse.chunks.join('').slice(0, 200),
      );
    const third = String(changesOf(lines)[2]?.c);
    const resumed = await user.listen('ch=sync:trips&since=-1', { Accept: 'text/event-stream', 'Last-Event-ID': third });
    hold(shownChanges(resumed.frames).length === 3, 'three changes after the Last-Event-ID', shownChanges(resumed.frames));
    for (const reader of [lines, sse, resumed]) reader.close();
  },
};

const limits: Rule = {
  id: 'R32',
  title: '33 channels are 400, too many streams 429',
  proves: ['A stream has at most 32 channels, and an account at most as many streams as its quota says.', 'A place is free again once a stream has ended.'],
  how: [
    'A stream of 33 channels has to be 400, and one of 32 has to open.',
    'An account with a quota of three streams holds three: the fourth has to be 429 with Retry-After, and after one was closed another has to',
    'open.',
  ],
  redBy: ['counts-no-streams'],
  needs: ['own service'],
  check: async ({ client, account, service, name }) => {
    const user = await newUser(client, account, name('user'));
    const channels = Array.from({ length: 33 }, (_, i) => `ch=sync:c${i}`);
    const tooMany = await user.open(channels.join('&'));
    hold(tooMany.status() === 400, '400 for 33 channels', `${tooMany.status()} ${tooMany.text()}`);
    const enough = await user.listen(channels.slice(1).join('&'));
    enough.close();
    await service?.withService({}, async (other) => {
      const small = await newUser(other.client, await other.newAccount({ streams: 3 }), name('user'));
      const held = [await small.listen('ch=sync:a'), await small.listen('ch=sync:a'), await small.listen('ch=sync:a')];
      const refused = await small.open('ch=sync:a');
      hold(
        refused.status() === 429 && /^[1-9]\d*$/.test(String(refused.header('retry-after'))),
        '429 with Retry-After for the fourth stream',
        `${refused.status()} ${refused.text()}`,
      );
      held[0]?.close();
      await eventually('room again when one ended', async () => {
        const next = await small.open('ch=sync:a');
        const status = next.status();
        next.close();
        return status === 200;
      });
      for (const reader of held) reader.close();
    });
  },
};

export const streamRules: readonly Rule[] = [heartbeats, opening, slowReader, byes, ages, drain, lostPokes, events, limits];
