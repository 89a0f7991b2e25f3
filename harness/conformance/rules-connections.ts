/** R34, R54, R66: what a connection may do, how many there may be, and whose it is. */
import { connect, type Socket } from 'node:net';
import { hold, type Rule } from './rule.ts';
import { arrived, eventually, newUser } from './user.ts';

const dribbleMs = 1000;
const lorisBoundMs = 30_000;

const slowLoris: Rule = {
  id: 'R34',
  title: 'a client that dribbles its request is closed within 30 s; streams are untouched',
  proves: [
    'A client that sends its request a byte at a time, to hold a connection for nothing, is closed within 30 s.',
    'A stream that lives beside it is not touched.',
  ],
  how: [
    'One connection dribbles a header and another a body, a byte a second, while a stream listens.',
    'Both have to be closed by the service in time; then a change has to arrive on the stream.',
  ],
  redBy: ['waits-for-ever'],
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
  proves: [
    "Behind a balancer the client's address comes from the PROXY header alone, which must be right: a wrong or late one closes the connection.",
    'Headers that anybody can write, as X-Forwarded-For, are never believed.',
  ],
  how: [
    'For version 1 and 2 of the protocol right headers are sent whole and byte by byte, headers without an address, and four wrong ones, the',
    "other version's and none among them.",
    "/v1/connection has to tell the client's address, the socket's, or nothing; a header that stays incomplete has to be closed after 3 s.",
    'A stream has to open through the listener too.',
  ],
  redBy: ['believes-forwarded'],
  needs: ['own service'],
  check: async ({ service, name, holdTime }) => {
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
        const begunMs = performance.now();
        hold((await exchange(proxyUrl, goodLine.slice(0, 5))) === '', 'no answer to a header that is late', 'one');
        holdTime({ what: 'a late header to be closed', tookMs: performance.now() - begunMs, statedMs: 5500 });
        const user = await newUser(client, account, name('user'));
        const streamed = await exchange(
          proxyUrl,
          `${version === 'v1' ? goodLine : goodBinary}GET /v1/stream?ch=sync:t HTTP/1.1\r\nHost: x\r\nAuthorization: ${user.authorization}\r\n\r\n`,
          4096,
          '"t":"sync"',
        );
        hold(streamed.includes('"t":"sync"'), 'a stream through the listener', streamed);
      });
    }
  },
};

/** Whoever is neither answered nor closed by then never is. */
const patienceMs = 60_000;

/** What came until the end, or until `enough` of it did. */
function exchange(base: string, text: string, step = text.length, enough?: string): Promise<string> {
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
    const timer = setTimeout(() => socket.destroy(), patienceMs);
    socket.on('data', (bytes) => {
      came += bytes.toString('latin1');
      if (enough !== undefined && came.includes(enough)) socket.destroy();
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
  proves: [
    'A service that has no descriptor left goes on serving the connections that it has, and refuses others.',
    'Once there is room again, it takes new ones.',
  ],
  how: [
    'A service of its own may have 512 descriptors, and 1,024 connections are opened to it while a stream listens.',
    'Some have to be refused, and a write on an existing connection has to reach the stream and /metrics to answer.',
    'After the crowd has gone, a new stream has to open, and the first has to be there still.',
  ],
  redBy: ['dies-of-descriptors'],
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

/** In the order of their numbers, as they are asked; R66 comes with what stands behind a balancer. */
export const connectionRules: readonly Rule[] = [slowLoris, descriptors];
export const edgeRules: readonly Rule[] = [proxied];
