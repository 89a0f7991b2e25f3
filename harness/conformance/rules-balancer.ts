/** R23, R67: behind a balancer that ends what is idle. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { type Balancer, startBalancer } from '#harness/balancer/balancer.ts';
import { presets } from '#harness/balancer/presets.ts';
import { openStream, type StreamReader } from '#harness/topology/stream-reader.ts';
import { hold, type OtherService, type Rule } from './rule.ts';
import { arrived, changesOf, newUser } from './user.ts';

/** A minute passes in 2.4 s: the shortest that a heartbeat of a second fits into twice. */
const scale = 25;
const idleMs = presets['classic-elb'].idleTimeoutMs / scale;
const idleMinutes = 10;

const addressOf = (url: string) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });

const survives: Rule = {
  id: 'R23',
  title: 'behind a 60 s balancer an idle stream lives for ten minutes by its heartbeats, and dies at 60 s without (on a clock 25 times as fast)',
  proves: [
    'Balancers end what is idle, and heartbeats keep a stream alive behind one that waits for 60 s.',
    'Without heartbeats the same stream dies after the 60 s, which shows that it was they that kept it.',
  ],
  how: [
    'The model of a classic balancer stands before a service of its own, on a clock 25 times as fast: a minute takes 2.4 s.',
    'First with heartbeats out of reach the stream has to end near 60 s; then with heartbeats it has to live for ten minutes.',
    'After those ten minutes a change has to arrive on it.',
  ],
  redBy: ['no-heartbeats'],
  needs: ['own service'],
  check: async ({ service, name, neededNoStop }) => {
    const through = async (other: OtherService, use: (balancer: Balancer, reader: StreamReader) => Promise<void>): Promise<void> => {
      const balancer = await startBalancer({ settings: { ...presets['classic-elb'], proxyHeader: 'off' }, targets: [addressOf(other.client.base())], scale });
      try {
        const { authorization } = await newUser(other.client, other.account, name('user'));
        const reader = openStream({ url: `${balancer.url}/v1/stream?ch=sync:trips`, authorization });
        await arrived(reader, 'sync');
        await use(balancer, reader);
        reader.close();
      } finally {
        await balancer.close();
      }
    };
    // The control first: this balancer does end what is silent.
    await service?.withService({ env: { HEADROOM_BALANCER_IDLE_TIMEOUT_MS: '3600000' } }, (other) =>
      through(other, async (_, reader) => {
        const begunMs = performance.now();
        await reader.ended;
        const livedMs = performance.now() - begunMs;
        if (livedMs >= 2 * idleMs) neededNoStop('a balancer that ends what is idle in time', idleMs / 2);
        hold(livedMs > 0.9 * idleMs && livedMs < 2 * idleMs, `a stream without heartbeats to die after ${idleMs} ms`, livedMs);
      }),
    );
    await service?.withService({ env: { HEADROOM_BALANCER_IDLE_TIMEOUT_MS: String(idleMs) } }, (other) =>
      through(other, async (balancer, reader) => {
        await Promise.race([reader.ended, sleep(idleMinutes * idleMs)]);
        const isBeating = reader.frames.some(({ t }) => t === 'hb');
        if (isBeating && reader.state() !== 'open') neededNoStop('a heartbeat each second through a balancer', idleMs / 4);
        hold(reader.state() === 'open' && balancer.counts.expired === 0, `the stream to be there after ${idleMinutes * idleMs} ms`, reader.frames.at(-1));
        const writer = await newUser(other.client, other.account, name('user'));
        await writer.put('trips', 't', {});
        await arrived(reader, 'put');
        hold(changesOf(reader).length === 1, 'the change after the silence', reader.frames.at(-1));
      }),
    );
  },
};

const reuses = 10_000;
/** A machine that stops for a moment lets a few meet a closed connection; a service that closes first does it all the time. */
const missedMax = reuses / 100;
const connections = 500;

const reused: Rule = {
  id: 'R67',
  title: '10,000 reuses of idle connections through a balancer: no 502, no reset',
  proves: [
    'A balancer uses idle connections again, and a service that closes them first makes it answer 502.',
    'So the service waits longer than the balancer does.',
  ],
  how: [
    'The model of an ALB stands before a service of its own on a clock 25 times as fast, and 500 connections ask /healthz twenty times each.',
    'Between requests each waits up to nine tenths of the idle timeout.',
    'All 10,000 have to be 200: no 502 and no reset.',
  ],
  redBy: ['lets-go-early'],
  needs: ['own service'],
  check: async ({ service, neededNoStop }) => {
    await service?.withService({ env: { HEADROOM_BALANCER_IDLE_TIMEOUT_MS: String(idleMs) } }, async ({ client }) => {
      const balancer = await startBalancer({ settings: presets.alb, targets: [addressOf(client.base())], scale });
      const pools = Array.from({ length: connections }, () => new Pool(balancer.url, { connections: 1, keepAliveTimeout: 2 * idleMs }));
      const outcomes = new Map<string, number>();
      await Promise.all(
        pools.map(async (pool, lane) => {
          for (let i = 0; i < reuses / connections; i++) {
            // Up to nine tenths of the balancer's patience, so that it is always the one that may still hope.
            await sleep((((lane * 7 + i * 13) % 90) / 100) * idleMs);
            const outcome = await pool
              .request({ path: '/healthz', method: 'GET' })
              .then(async ({ statusCode, body }) => {
                await body.dump();
                return String(statusCode);
              })
              .catch((error: Error & { code?: string }) => error.code ?? error.message);
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          }
          await pool.close();
        }),
      );
      await balancer.close();
      const missed = reuses - (outcomes.get('200') ?? 0);
      if (missed > 0 && missed <= missedMax) neededNoStop('to be always before who closes', idleMs / 10);
      hold(missed === 0, `${reuses} × 200`, Object.fromEntries(outcomes));
    });
  },
};

export const balancerRules: readonly Rule[] = [survives, reused];
