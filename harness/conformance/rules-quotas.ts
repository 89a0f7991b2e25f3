/** R48, R50, R51, R68: registrations that change nothing, refusals and their words, quotas to the request, and numbers that add up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parsePrometheusText } from '#harness/metrics/prometheus-text.ts';
import { publishableAuthorization, secretAuthorization } from '#harness/topology/provision.ts';
import { openStream } from '#harness/topology/stream-reader.ts';
import type { Answer, Client } from './client.ts';
import { openMany } from './many-streams.ts';
import { readMetrics } from './reading.ts';
import { hold, type Rule } from './rule.ts';
import { driveStorm, requestText } from './storm.ts';
import { arrived, eventually, newUser } from './user.ts';

const json = { 'content-type': 'application/json' };
const registration = { platform: 'ios', app_version: '1' };
const repeats = 100_000;
/** It ends with the last repetition, however slow the machine: this is for a service that answers none any more. */
const hangsAfterSeconds = 1800;

const identical: Rule = {
  id: 'R48',
  title: 'an identical registration, a hundred thousand times: one row, no event, nothing told',
  proves: [
    'Apps register at every start, so a registration that changes nothing is a no-op: it answers changed false and touches nothing.',
    'No event, no word on a stream and no new version of the row comes of it, however often it is sent.',
  ],
  how: [
    'A device is registered, a stream of all devices listens, and the same registration is sent a hundred thousand times over 32 connections.',
    'All have to be 200, the device has to read as before, ETag and all, and neither the stream nor its history may have anything of it.',
  ],
  redBy: ['registers-again'],
  needs: [],
  isLong: true,
  check: async ({ client, account, name }) => {
    const device = name('device');
    const path = `/v1/devices/${device}`;
    const [authorization, secret] = [publishableAuthorization(account), secretAuthorization(account)];
    const created = await client.register(authorization, device, registration);
    hold(created.status === 201, '201 for a new device', `${created.status} ${created.text}`);
    const body = JSON.stringify({ ...registration, device_secret: created.json?.device_secret });
    const read = (): Promise<Answer> => client.call('GET', path, { headers: { authorization: secret } });
    const before = await read();
    const listener = openStream({ url: `${client.base()}/v1/stream?ch=devices`, authorization: secret });
    await arrived(listener, 'sync');
    const told = listener.frames.length;
    const again = await client.register(authorization, device, JSON.parse(body) as object);
    hold(again.status === 200 && again.json?.changed === false, '200 {changed: false}', `${again.status} ${again.text}`);
    const { good, failed, statuses } = await driveStorm({
      url: client.base(),
      ratePerSecond: undefined,
      seconds: hangsAfterSeconds,
      connections: 32,
      goodMax: repeats,
      onRefusal: 'give-up',
      patienceMs: 120_000,
      requestOf: () => requestText({ method: 'PUT', path, authorization, body }),
    });
    hold(good >= repeats && failed === 0, `${repeats} times 200`, statuses);
    const after = await read();
    hold(after.header('etag') === before.header('etag') && after.text === before.text, `the row as it was: ${before.text}`, after.text);
    const frames = listener.frames.slice(told).filter(({ t, k }) => t === 'put' && k === device);
    hold(frames.length === 0, 'no word of it in the stream', frames);
    listener.close();
    const history = await client.call('GET', `${path}/history?include=filtered`, { headers: { authorization: secret } });
    const events = history.json?.events;
    hold(Array.isArray(events) && events.length === 0, 'no event', history.text);
  },
};

const refusals = 1000;

const comeBack: Rule = {
  id: 'R50',
  title: 'a refusal says when to come back, in whole seconds, spread by 30 %, and names its lane',
  proves: [
    'A refused client is told when to come back, in whole seconds that differ by at least 30 %, so that not all come back at once.',
    'The refusal names its lane and says that nothing of the quota is left.',
  ],
  how: [
    'One device changes its registration a thousand times over sixteen connections, and more than nine in ten have to be 429.',
    'Each refusal needs Retry-After, the lane registration and a RateLimit of r=0; the longest wait has to be 30 % longer than the shortest.',
  ],
  redBy: ['same-retry'],
  needs: [],
  check: async ({ client, account, name }) => {
    const authorization = publishableAuthorization(account);
    const put = (body: object): Promise<Answer> => client.register(authorization, name('device'), body);
    const created = await put(registration);
    const secret = created.json?.device_secret;
    const answers: Answer[] = [];
    let i = 0;
    const change = async (): Promise<void> => {
      while (i < refusals) answers.push(await put({ ...registration, device_secret: secret, name: `n${i++}` }));
    };
    await Promise.all(Array.from({ length: 16 }, change));
    const refused = answers.filter(({ status }) => status === 429);
    hold(refused.length > refusals * 0.9, `429 for most of ${refusals} changes of one device`, answers.map(({ status }) => status).slice(0, 20));
    for (const answer of refused) {
      hold(/^[1-9]\d*$/.test(answer.header('retry-after') ?? ''), 'Retry-After as a whole number', answer.header('retry-after'));
      hold(answer.json?.lane === 'registration' && answer.json.status === 429, 'a problem that names the lane', answer.text);
      hold(/^"[^"]+";r=0;t=\d+$/.test(answer.header('ratelimit') ?? ''), 'RateLimit with nothing left', answer.header('ratelimit'));
    }
    const seconds = refused.map((answer) => Number(answer.header('retry-after')));
    const spread = (Math.max(...seconds) - Math.min(...seconds)) / Math.min(...seconds);
    hold(spread >= 0.3, 'a spread of 30 %', { spread, min: Math.min(...seconds), max: Math.max(...seconds) });
  },
};

const quota = { perSecond: 40, burst: 80 };
const quotaSeconds = 10;

const exact: Rule = {
  id: 'R51',
  title: 'a token bucket gives burst and rate, within 2 % over the workers of a node and 5 % over nodes',
  proves: [
    'A quota is a token bucket: its burst at once, then its rate, and no more than that over all workers and nodes.',
    'Every answer says the policy in RateLimit-Policy.',
  ],
  how: [
    'An account may read 40 times a second with a burst of 80, and is asked for ten seconds by twelve loops a node, without waiting for',
    'permission.',
    'What was not 429 has to be what the bucket gives, within 2 % at one node with two workers and within 5 % over two nodes of one store.',
    'What it could have given while nobody asked, since this machine stopped, is not asked for.',
  ],
  redBy: ['gives-what-is-asked'],
  needs: ['own service'],
  check: async ({ service }) => {
    await service?.withService({ workers: 2 }, async ({ client, newAccount, data }) => {
      const limited = (): ReturnType<typeof newAccount> => newAccount({ read_per_second: quota.perSecond, read_burst: quota.burst });
      await holdQuota([client], secretAuthorization(await limited()), 0.02);
      await service.withService({ data }, async (other) => holdQuota([client, other.client], secretAuthorization(await limited()), 0.05));
    });
  },
};

/** Asks at several times the rate, on many connections, until the time is over. */
async function holdQuota(clients: readonly Client[], authorization: string, tolerance: number): Promise<void> {
  let given = 0;
  /** When each request began that was refused: then the bucket was empty. */
  const refusedMs: number[] = [];
  const beganMs = performance.now();
  const endMs = beganMs + quotaSeconds * 1000;
  const ask = async (client: Client): Promise<void> => {
    while (performance.now() < endMs) {
      const begunMs = performance.now();
      const { status, header } = await client.call('GET', '/v1/devices/nobody', { headers: { authorization } });
      if (status === 429) refusedMs.push(begunMs);
      else given++;
      hold(
        header('ratelimit-policy') === `"account-read";q=${quota.burst};w=${quota.burst / quota.perSecond}`,
        'the policy in RateLimit-Policy',
        header('ratelimit-policy'),
      );
      await sleep(20);
    }
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: 12 }, () => ask(client))));
  const most = quota.burst + (quota.perSecond * (performance.now() - beganMs)) / 1000;
  hold(given <= most * (1 + tolerance) + 1, `at most ${most.toFixed(0)} requests, and ${tolerance * 100} %`, given);
  const least = quota.burst + (quota.perSecond * askedForMs(beganMs, refusedMs)) / 1000;
  hold(given >= least * (1 - tolerance) - 1, `at least ${least.toFixed(0)} requests, less ${tolerance * 100} %`, given);
}

/** Longer than two refusals are apart where twelve loops ask. What was leased and not asked for is lost after a second. */
const betweenRefusalsMsMax = 200;

/** How long the bucket was seen empty again before long: from one refusal to the next, and from the begin to the first. */
export function askedForMs(beganMs: number, refusedMs: readonly number[]): number {
  const sorted = refusedMs.toSorted((a, b) => a - b);
  return sorted.reduce((sum, ms, i) => {
    const gapMs = ms - (sorted[i - 1] ?? beganMs);
    return i === 0 || gapMs <= betweenRefusalsMsMax ? sum + gapMs : sum;
  }, 0);
}

const streams = 2000;
const seriesMax = 200;

const counted: Rule = {
  id: 'R68',
  title: `the lanes' outcomes add up to the requests; no metric has more than ${seriesMax} series; a scrape takes 50 ms while streams are held`,
  proves: [
    'What /metrics says adds up: the outcomes of all lanes are the requests that were made.',
    'It stays cheap: at most 200 series a metric, and a scrape within 50 ms while streams are held.',
  ],
  how: [
    'A hundred requests of five kinds, errors among them, go to a service of its own, and the sum over headroom_requests_total has to be those',
    'and the scrapes before.',
    'With 2,000 streams held it scrapes seven times: the median has to be within the bound.',
  ],
  redBy: ['counts-half'],
  needs: ['own service'],
  check: async ({ service, name, holdTime }) => {
    await service?.withService({}, async ({ client, account }) => {
      let asked = 0;
      const ask = async (...call: Parameters<Client['call']>): Promise<Answer> => {
        asked++;
        const [method, path, asking] = call;
        return client.call(method, path, { ...asking, isOnce: true });
      };
      const authorization = secretAuthorization(account);
      for (let i = 0; i < 20; i++) {
        await ask('GET', '/nowhere');
        await ask('GET', '/healthz');
        await ask('GET', '/v1/devices/nobody', { headers: { authorization } });
        await ask('GET', '/v1/export');
        await ask('PUT', `/v1/devices/${name(`d${i}`)}`, { headers: { ...json, authorization }, body: JSON.stringify(registration) });
      }
      const sum = async (): Promise<number> => (await readMetrics(client))('headroom_requests_total') ?? Number.NaN;
      let scrapes = 0;
      await eventually(`${asked} requests in the metric, and the scrapes before`, async () => (await sum()) === asked + scrapes++);
      const user = await newUser(client, account, name('user'));
      const url = `${client.base()}/v1/stream?ch=sync:trips`;
      const readers = await openMany({ url, authorization: user.authorization }, streams);
      const times: number[] = [];
      for (let i = 0; i < 7; i++) {
        const beganMs = performance.now();
        await client.call('GET', '/metrics');
        times.push(performance.now() - beganMs);
      }
      for (const reader of readers) reader.close();
      times.sort((a, b) => a - b);
      holdTime({ what: `a scrape with ${streams} streams`, tookMs: times[3] ?? 0, statedMs: 50, came: times });
      holdSeries((await client.call('GET', '/metrics')).text);
    });
  },
};

function holdSeries(text: string): void {
  const series = new Map<string, number>();
  for (const key of Object.keys(parsePrometheusText(text))) {
    const metric = key.split('{', 1)[0] as string;
    series.set(metric, (series.get(metric) ?? 0) + 1);
  }
  const [largest] = [...series].sort(([, a], [, b]) => b - a);
  hold(largest !== undefined && largest[1] <= seriesMax, `at most ${seriesMax} series a metric`, largest);
}

export const quotaRules: readonly Rule[] = [identical, comeBack, exact, counted];
