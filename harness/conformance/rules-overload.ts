/** R49, R52, R53: a storm of registrations, and what of the service it must not reach. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccountCredentials, publishableAuthorization } from '#harness/topology/provision.ts';
import { beside } from './beside.ts';
import type { Client } from './client.ts';
import { hold, type Rule, type RuleContext, Untold } from './rule.ts';
import { eventOf } from './rules-ingest.ts';
import { driveStorm, quantile, requestText, type Stormed, type StormPlan } from './storm.ts';

type Stormy = {
  readonly client: Client;
  readonly storm: (change: Partial<StormPlan>) => Promise<Stormed>;
  readonly peakPerSecond: number;
  readonly peakAgain: () => Promise<number>;
  readonly account: AccountCredentials;
};

const peakSeconds = 3;
const stormSeconds = 5;
const patienceMs = 1000;
const stormConnections = 384;

/** A service of its own with one worker, and how many new devices a second it registers when nobody asks for anything else. */
async function withStorm({ service, name, boundMs }: RuleContext, use: (stormy: Stormy) => Promise<void>): Promise<void> {
  await service?.withService({}, async ({ client, account }) => {
    const authorization = publishableAuthorization(account);
    const body = JSON.stringify({ platform: 'android', app_version: '7.4.1' });
    let devices = 0;
    const storm: Stormy['storm'] = (change) =>
      driveStorm({
        url: client.base(),
        ratePerSecond: undefined,
        seconds: stormSeconds,
        connections: stormConnections,
        onRefusal: 'give-up',
        patienceMs: boundMs(patienceMs),
        requestOf: () => requestText({ method: 'PUT', path: `/v1/devices/${name(`d${devices++}`)}`, authorization, body }),
        ...change,
      });
    await storm({ seconds: 1, connections: 32 });
    const measurePeak = async (): Promise<number> => {
      const peak = await storm({ seconds: peakSeconds, connections: 32 });
      hold(peak.good > 0, 'registrations that are answered', peak.statuses);
      return peak.good / peak.seconds;
    };
    await use({ client, account, storm, peakPerSecond: await measurePeak(), peakAgain: measurePeak });
  });
}

const ingestPerSecond = 200;

/** Ingest beside whatever goes on, on connections of its own. */
async function ingest({ client, account }: Stormy, { name, boundMs }: RuleContext, what: string): Promise<Stormed> {
  const tokens = await Promise.all(Array.from({ length: 8 }, (_, i) => client.device(account, name(`${what}${i}`))));
  return driveStorm({
    url: client.base(),
    ratePerSecond: ingestPerSecond,
    seconds: stormSeconds,
    connections: 16,
    onRefusal: 'give-up',
    patienceMs: boundMs(2000),
    requestOf: (i) =>
      requestText({
        method: 'POST',
        path: '/v1/events',
        authorization: tokens[i % tokens.length] as string,
        body: JSON.stringify([eventOf(name(`${what}-${i}`))]),
      }),
  });
}

const unservedMax = 0.001;
/** No machine that registers anybody is so busy that a service which prefers ingest serves so little of it. */
const unservedMost = 0.5;

const untold = (what: string, came: object): Untold =>
  new Untold(`this machine is too slow or too busy to tell ${what}: ${JSON.stringify(came).slice(0, 400)}`);

const storms: Rule = {
  id: 'R49',
  title: 'a storm of registrations at three times what can be served does not reach ingest: p99 within 250 ms, errors at most 0.1 %',
  proves: [
    'A storm of new devices is shed before it costs those who send events: ingest keeps its latency, and hardly any of its requests fail.',
    'The lane of registrations pays for its own crowd.',
  ],
  how: [
    'First it measures how many registrations a second one worker serves when nobody asks for anything else.',
    'Then three times that is offered for five seconds, open loop, beside 200 events a second.',
    'The 99th percentile of ingest, counted from the planned times, has to stay below 250 ms, with at most 0.1 % refused or failed beyond what',
    'was without a storm.',
  ],
  redBy: ['favours-registrations'],
  needs: ['own service'],
  isAlone: true,
  check: (context) =>
    withStorm(context, async (stormy) => {
      const quiet = await ingest(stormy, context, 'quiet');
      const [stormed, during] = await Promise.all([stormy.storm({ ratePerSecond: 3 * stormy.peakPerSecond }), ingest(stormy, context, 'storm')]);
      const p99 = quantile(during.latenciesMs, 0.99);
      const shown = {
        p99Ms: p99,
        quietP99Ms: quantile(quiet.latenciesMs, 0.99),
        peakPerSecond: stormy.peakPerSecond,
        ingest: during.statuses,
        storm: stormed.statuses,
      };
      hold(stormed.planned > stormSeconds * 2 * stormy.peakPerSecond, 'a storm that is one', shown);
      const [unserved, unservedQuiet] = [during, quiet].map(({ failed, refused, planned }) => (failed + refused) / planned) as [number, number];
      hold(Math.max(unserved, unservedQuiet) <= unservedMost, 'most of ingest served, whatever the machine does', shown);
      if (unserved > unservedMax + unservedQuiet && !context.canTell()) throw untold('whether ingest is refused or failed', shown);
      hold(unserved <= unservedMax + unservedQuiet, 'at most 0.1 % of ingest refused or failed', shown);
      // The storm takes what the machine has left, and the asker is a part of it: where there is little, how late ingest is says nothing.
      if (context.judge(p99, 250) !== 'in-time' && !context.canTell()) throw untold('whether ingest is late', shown);
      context.holdTime({ what: 'ingest at p99', tookMs: p99, statedMs: 250, came: shown });
    }),
};

/** As stated with --strict; half of it on a machine that others share, since the peak was measured in another second. */
const part = (stated: number, { boundMs }: RuleContext): number => (boundMs(1) === 1 ? stated : stated / 2);
/** So much less than what is asked for is no machine's doing. */
const partLost = 4;

const goodput: Rule = {
  id: 'R52',
  title: 'at twice what can be served goodput is at least 90 % of the peak for clients that honour Retry-After, and 55 % for those that do not',
  proves: [
    'Offered twice what it can serve, a service still does useful work: 90 % of its peak for clients that honour Retry-After, 55 % for those that',
    'come back at once.',
    'Every refusal carries Retry-After as a whole number.',
  ],
  how: [
    'It first measures the peak of registrations at one worker in the same minute.',
    'Then twice that is offered for five seconds, once by either kind of client, and answers that came too late to be of use do not count.',
    "Without --strict half of the stated part is enough, since the peak was another second's.",
  ],
  redBy: ['thrashes'],
  needs: ['own service'],
  isAlone: true,
  check: (context) =>
    withStorm(context, async ({ storm, peakPerSecond, peakAgain }) => {
      for (const [onRefusal, stated] of [
        ['honour', 0.9],
        ['hammer', 0.55],
      ] as const) {
        const { good, seconds, statuses, retryAfters } = await storm({ ratePerSecond: 2 * peakPerSecond, onRefusal });
        const wanted = part(stated, context);
        // Where it is missed, the peak is looked at once more: a machine that others use has another one a few seconds later.
        const atFirst = good / seconds / peakPerSecond;
        const ratio = atFirst >= wanted ? atFirst : good / seconds / Math.min(peakPerSecond, await peakAgain());
        if (ratio < wanted && ratio > wanted / partLost && !context.canTell()) throw untold('how much work is useful', { ratio, peakPerSecond, statuses });
        hold(ratio >= wanted, `goodput of ${wanted} of the peak for clients that ${onRefusal}`, {
          ratio,
          peakPerSecond,
          statuses,
        });
        hold(
          retryAfters.every((value) => /^[1-9]\d*$/.test(value ?? '')),
          'Retry-After as a whole number on every refusal',
          retryAfters.slice(0, 10),
        );
      }
    }),
};

const alive: Rule = {
  id: 'R53',
  title: '/healthz answers within 100 ms under three times what can be served',
  proves: [
    'Whoever asks whether the service lives gets an answer within 100 ms, also when it has far more to do than it can.',
    'Otherwise a balancer would take the busy for dead.',
  ],
  how: [
    'After the peak of registrations was measured, three times that is offered for five seconds, and /healthz is asked every 50 ms meanwhile.',
    'All answers have to be 200, and 95 of 100 have to come within the bound.',
  ],
  redBy: ['slow-health'],
  needs: ['own service'],
  isAlone: true,
  check: (context) =>
    withStorm(context, async ({ client, storm, peakPerSecond }) => {
      const times: number[] = [];
      const ask = async (isOver: () => boolean): Promise<void> => {
        while (!isOver()) {
          const beganMs = performance.now();
          const { status } = await client.call('GET', '/healthz');
          times.push(performance.now() - beganMs);
          hold(status === 200, '200 from /healthz', status);
          await sleep(50);
        }
      };
      await beside(ask, () => storm({ ratePerSecond: 3 * peakPerSecond }));
      times.sort((a, b) => a - b);
      const p95 = quantile(times, 0.95);
      context.holdTime({ what: '/healthz at p95', tookMs: p95, statedMs: 100, came: { p95, max: times.at(-1), peakPerSecond } });
    }),
};

export const overloadRules: readonly Rule[] = [storms, goodput, alive];
