/** R22 to R34: how a stream lives and ends. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamReader } from '#harness/topology/stream-reader.ts';
import { hold, type Rule } from './rule.ts';
import { arrived, changesOf, eventually, lastCursor, newUser, shownChanges } from './user.ts';

const heartbeatMs = 1000;

const heartbeats: Rule = {
  id: 'R22',
  title: 'in silence a frame comes at least every heartbeat; under traffic none that says nothing',
  needs: [],
  check: async ({ client, account, name, boundMs }) => {
    const user = await newUser(client, account, name('user'));
    const reader = await user.listen(`ch=sync:trips&hb=${heartbeatMs}`);
    const silentUntilMs = performance.now() + 6 * heartbeatMs;
    let lastMs = reader.arrivedAtMs.at(-1) ?? performance.now();
    const longestMs = boundMs(heartbeatMs * 1.1 + 250);
    while (performance.now() < silentUntilMs) {
      await sleep(20);
      lastMs = reader.arrivedAtMs.at(-1) ?? lastMs;
      hold(performance.now() - lastMs <= longestMs, `a frame within ${longestMs} ms`, `none for ${Math.round(performance.now() - lastMs)} ms`);
    }
    const beats = reader.frames.filter(({ t }) => t === 'hb');
    hold(beats.length >= 1 && beats.every(({ c }) => c === lastCursor(reader)), 'heartbeats with the cursor', reader.frames);
    const before = beats.length;
    for (let i = 0; i < 12; i++) {
      await user.put('trips', 't', { i });
      await sleep(200);
    }
    const after = reader.frames.filter(({ t }) => t === 'hb').length;
    hold(after - before <= 1, 'no heartbeat where changes come every 200 ms', `${after - before}`);
    reader.close();
  },
};

const opening: Rule = {
  id: 'R24',
  title: 'hello within 100 ms, chunked, a frame a line',
  needs: [],
  check: async ({ client, account, name, boundMs }) => {
    const user = await newUser(client, account, name('user'));
    await user.put('trips', 't', { text: 'a\nb\u2028c', long: 'x'.repeat(30_000) });
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const begunMs = performance.now();
      const reader = await user.open('ch=sync:trips&since=-1');
      await arrived(reader, 'hello');
      times.push((reader.arrivedAtMs[0] ?? Number.POSITIVE_INFINITY) - begunMs);
      // One of twenty may be the machine's.
      hold(times.filter((ms) => ms > boundMs(100)).length <= 1, `hello within ${boundMs(100)} ms`, times.map(Math.round));
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
  needs: [],
  check: async ({ client, account, name, boundMs }) => {
    const user = await newUser(client, account, name('user'));
    const [stopped, other] = [await user.listen('ch=sync:trips'), await user.listen('ch=sync:trips')];
    stopped.socket.pause();
    const note = 'x'.repeat(50_000);
    // The kernel's buffers hide about 4 MB.
    for (let i = 0; i < 160; i++) await user.put('trips', `k${i % 5}`, { i, note });
    await eventually('the other reader to have everything', () => changesOf(other).length >= 160);
    // Undrained for ten seconds where the bytes alone were not enough.
    await sleep(Math.min(boundMs(3000), 15_000));
    stopped.socket.resume();
    await eventually('the stopped reader to be cut', () => stopped.state() === 'ended', 2000);
    const begunMs = performance.now();
    await user.put('trips', 'last', {});
    await eventually('a change to reach the other', () => changesOf(other).some(({ k }) => k === 'last'), boundMs(1000));
    hold(performance.now() - begunMs <= boundMs(1000), 'the others not to feel it', performance.now() - begunMs);
    hold(changesOf(stopped).length < 160, 'a part only for who did not read', changesOf(stopped).length);
    const resumed = await user.listen(`ch=sync:trips&since=${lastCursor(stopped)}`);
    hold(changesOf(stopped).length + changesOf(resumed).length === 161, 'nothing lost to who was cut and came back', [
      changesOf(stopped).length,
      changesOf(resumed).length,
    ]);
    for (const reader of [other, resumed]) reader.close();
  },
};

const shortLives = { env: { HEADROOM_STREAM_AGE_MS: '1500' } };

const byes: Rule = {
  id: 'R27',
  title: 'every bye has a cursor that resumes',
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
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService(shortLives, async ({ client, account }) => {
      const user = await newUser(client, account, name('user'));
      const readers = await Promise.all(Array.from({ length: 100 }, () => user.listen('ch=sync:trips')));
      const begunMs = performance.now();
      const ends = await Promise.all(readers.map(({ ended }) => ended.then(() => performance.now() - begunMs)));
      const ages = readers.map(({ frames }) => Number(frames[0]?.age));
      hold(
        ages.every((age) => age >= 1500 && age <= 3000),
        'ages from 1,500 to 3,000 ms',
        [Math.min(...ages), Math.max(...ages)],
      );
      const inOneTenth = Math.max(...Array.from({ length: 40 }, (_, i) => ends.filter((end) => end >= i * 150 && end < (i + 1) * 150).length));
      hold(inOneTenth <= 40, 'at most 40 of 100 ends within a tenth of the spread', inOneTenth);
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
  needs: ['own service'],
  check: async ({ service, name, boundMs }) => {
    const windowMs = 2000;
    await service?.withService({ env: { HEADROOM_DRAIN_WINDOW_MS: String(windowMs) } }, async ({ client, account, stop }) => {
      const user = await newUser(client, account, name('user'));
      const readers = await Promise.all(Array.from({ length: 50 }, () => user.listen('ch=sync:trips')));
      const begunMs = performance.now();
      const stopping = stop();
      await eventually('readyz 503', async () => (await client.call('GET', '/readyz')).status === 503, boundMs(1000));
      const refused = await user.open('ch=sync:trips');
      hold(refused.status() === 503, '503 for a new stream', refused.status());
      const written: string[] = [];
      for (let i = 0; i < 5; i++) {
        const { status } = await user.put('trips', `d${i}`, {}).catch(() => ({ status: 0 }));
        if (status < 300 && status > 0) written.push(`put sync:trips d${i} v1`);
      }
      const ends = await Promise.all(readers.map(({ ended }) => ended.then(() => performance.now() - begunMs)));
      hold(Math.max(...ends) <= boundMs(windowMs + 1500), `all gone within ${windowMs} ms`, Math.max(...ends));
      hold(Math.max(...ends) - Math.min(...ends) > windowMs / 4, 'goodbyes that are spread over the window', ends.map(Math.round));
      for (const { frames } of readers) hold(frames.at(-1)?.code === 'drain' && frames.at(-1)?.c !== undefined, 'bye drain with a cursor', frames.at(-1));
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
  needs: ['own service'],
  check: async ({ service, name, boundMs }) => {
    const checkMs = 500;
    await service?.withService({ twinOtherwise: 'loses-pokes', env: { HEADROOM_POSITION_CHECK_MS: String(checkMs) } }, async ({ client, account }) => {
      const user = await newUser(client, account, name('user'));
      const reader = await user.listen('ch=sync:trips');
      for (let i = 0; i < 10; i++) await user.put('trips', `k${i}`, {});
      await eventually('ten changes', () => changesOf(reader).length === 10, boundMs(checkMs + 1000));
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

const expiry: Rule = {
  id: 'R33',
  title: 'a stream ends with its token: bye token within a second',
  needs: [],
  check: async ({ client, account, name, boundMs }) => {
    const user = await newUser(client, account, name('user'), { expiresIn: 3 });
    const { exp } = JSON.parse(Buffer.from(user.authorization.split('.')[1] as string, 'base64url').toString()) as { exp: number };
    const reader = await user.listen('ch=sync:trips&hb=1000');
    await eventually('bye', () => reader.frames.at(-1)?.t === 'bye', 3000 + boundMs(1000));
    const lateMs = Date.now() - exp * 1000;
    hold(reader.frames.at(-1)?.code === 'token', 'bye token', reader.frames.at(-1));
    hold(lateMs >= 0 && lateMs <= boundMs(1000), 'not before the token’s end, and within a second of it', lateMs);
    hold(
      reader.frames.filter(({ t }) => t === 'hb').every(({ exp: left }) => Number(left) >= 0 && Number(left) <= 3),
      'heartbeats that say how long the token lives',
      reader.frames,
    );
  },
};

const dribbleMs = 1000;
const lorisBoundMs = 30_000;

const slowLoris: Rule = {
  id: 'R34',
  title: 'a client that dribbles its request is closed within 30 s; streams are untouched',
  needs: [],
  check: async ({ client, account, name }) => {
    const user = await newUser(client, account, name('user'));
    const reader = await user.listen('ch=sync:trips&hb=1000');
    const heads = 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ';
    const body = `PUT /v1/sync/trips/slow HTTP/1.1\r\nHost: x\r\nAuthorization: ${user.authorization}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"a":"`;
    const closed = await Promise.all([heads, body].map((begin) => dribble(client.base(), begin)));
    hold(
      closed.every((ms) => ms <= lorisBoundMs),
      `both closed within ${lorisBoundMs} ms`,
      closed.map(Math.round),
    );
    hold(reader.state() === 'open', 'the stream to live on', reader.frames.at(-1));
    await user.put('trips', 'after', {});
    await arrived(reader, 'put');
    reader.close();
  },
};

/** Sends `begin`, then a byte a second; resolves with the milliseconds until it was closed, or a little more than the bound. */
function dribble(base: string, begin: string): Promise<number> {
  const { hostname, port } = new URL(base);
  const begunMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(begin));
    const dribbling = setInterval(() => socket.write('x'), dribbleMs);
    const end = (): void => {
      clearInterval(dribbling);
      socket.destroy();
      resolve(performance.now() - begunMs);
    };
    socket.on('error', () => undefined).once('close', end);
    socket.resume();
    setTimeout(end, lorisBoundMs + dribbleMs);
  });
}

const goodLine = 'PROXY TCP4 192.0.2.7 198.51.100.1 54321 443\r\n';
const goodBinary = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000207c6336401d43101bb', 'hex').toString('latin1');
const ask = 'GET /v1/connection HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nConnection: close\r\n\r\n';

const proxied: Rule = {
  id: 'R66',
  title: 'PROXY v1 and v2: the client’s address where the header is right, a closed connection where it is not, forged headers ignored',
  needs: ['own service'],
  check: async ({ service, name }) => {
    const cases = {
      v1: {
        good: [goodLine],
        local: ['PROXY UNKNOWN\r\n'],
        bad: [ask, goodBinary, 'PROXY TCP4 999.0.2.7 198.51.100.1 1 2\r\n', `PROXY TCP4 ${'1'.repeat(200)}`],
      },
      v2: {
        good: [goodBinary],
        local: ['\r\n\r\n\0\r\nQUIT\n\x20\0\0\0'],
        bad: [ask, goodLine, `${goodBinary.slice(0, 12)}\x31`.padEnd(16, '\0'), `${goodBinary.slice(0, 14)}\xff\xff`],
      },
    };
    for (const [version, { good, local, bad }] of Object.entries(cases)) {
      await service?.withService({ env: { HEADROOM_PROXY_PROTOCOL: version } }, async ({ client, proxyUrl, account }) => {
        hold(proxyUrl !== undefined, 'a listener for balancers', 'none');
        for (const header of good) {
          for (const step of [header.length + ask.length, 1]) {
            const answer = await exchange(proxyUrl, header + ask, step);
            hold(answer.includes('"client_address":"192.0.2.7","client_port":54321'), `the client’s address, ${step} bytes at a time`, answer);
          }
        }
        for (const header of local) hold((await exchange(proxyUrl, header + ask)).includes('"client_address":"127.0.0.1"'), 'the socket’s own address', header);
        for (const header of bad)
          hold((await exchange(proxyUrl, header + (header === ask ? '' : ask))) === '', 'no answer to what is no header', header.slice(0, 40));
        hold((await exchange(client.base(), ask)).includes('"client_address":"127.0.0.1"'), 'forged headers to be ignored', 'they were believed');
        const late = performance.now();
        hold(
          (await exchange(proxyUrl, goodLine.slice(0, 5), goodLine.length, 6000)) === '' && performance.now() - late < 5500,
          'a late header to be closed after 3 s',
          performance.now() - late,
        );
        const user = await newUser(client, account, name('user'));
        const streamed = await exchange(
          proxyUrl,
          `${version === 'v1' ? goodLine : goodBinary}GET /v1/stream?ch=sync:t HTTP/1.1\r\nHost: x\r\nAuthorization: ${user.authorization}\r\n\r\n`,
          4096,
          700,
        );
        hold(streamed.includes('"t":"sync"'), 'a stream through the listener', streamed);
      });
    }
  },
};

/** What came until the end, or until `withinMs`. */
function exchange(base: string, text: string, step = text.length, withinMs = 5000): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    let came = '';
    const socket = connect(Number(port), hostname, async () => {
      socket.setNoDelay(true);
      for (let at = 0; at < text.length && !socket.destroyed; at += step) {
        socket.write(Buffer.from(text.slice(at, at + step), 'latin1'));
        if (step < text.length) await new Promise((next) => setImmediate(next));
      }
    });
    const timer = setTimeout(() => socket.destroy(), withinMs);
    socket.on('data', (bytes) => {
      came += bytes.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(came);
    });
  });
}

const descriptorsMax = 512;

const descriptors: Rule = {
  id: 'R54',
  title: 'out of descriptors it lives, refuses, and takes connections again once there is room',
  needs: ['own service'],
  check: async ({ service, name }) => {
    await service?.withService({ descriptorsMax }, async ({ client, account }) => {
      const user = await newUser(client, account, name('user'));
      const stream = await user.listen('ch=sync:trips');
      const { hostname, port } = new URL(client.base());
      const sockets = await Promise.all(
        Array.from(
          { length: 2 * descriptorsMax },
          () =>
            new Promise<Socket>((resolve) => {
              const socket = connect(Number(port), hostname, () => resolve(socket)).on('error', () => resolve(socket));
              socket.resume();
            }),
        ),
      );
      await eventually('connections to be refused', () => sockets.some(({ closed }) => closed));
      const first = await user.put('trips', 'a', {}).catch((error: Error) => ({ status: 0, text: error.message }));
      hold(first.status === 201, 'an answer on a connection that is there', `${first.status} ${first.text}`);
      await arrived(stream, 'put');
      const metrics = await client.call('GET', '/metrics');
      hold(metrics.status === 200, '200 from /metrics at the limit', metrics.status);
      for (const socket of sockets) socket.destroy();
      await eventually('new connections to be taken again', async () => {
        const reader = await user.open('ch=sync:trips').catch(() => undefined);
        const isTaken = reader?.status() === 200;
        reader?.close();
        return isTaken;
      });
      hold(stream.state() === 'open', 'the stream to have lived through it', stream.frames.at(-1));
      stream.close();
    });
  },
};

export const streamRules: readonly Rule[] = [heartbeats, opening, slowReader, byes, ages, drain, lostPokes, events, limits, expiry, slowLoris, descriptors];
export const edgeRules: readonly Rule[] = [proxied];
