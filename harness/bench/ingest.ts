/**
 * How much of Fastify's own ceiling the durable ingest keeps. Numerator: the service, closed loop, every 202 flushed. Denominator:
 * the same app with the same hooks (token check, telemetry) and workers, whose handler answers a constant. autocannon drives
 * both: closed loops are what it measures well.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { request } from 'undici';
import { parsePrometheusText, sumOf } from '#harness/metrics/prometheus-text.ts';
import { createAccount } from '#harness/topology/accounts.ts';
import { provisionFleet } from '#harness/topology/provision.ts';
import { startService } from '#harness/topology/service-process.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import { atLeast, atMost, type Bench, type BenchOptions, median, round } from './bench.ts';

/** Enough that neither side waits for the other: with 64 the durable one stands in lock-step with its flushes. Same for both. */
const connections = 256;
const devices = 64;

type Ceiling = { readonly perSecond: number; readonly pendingAtEnd: number; readonly pendingHalfway: number; readonly notAccepted: number };

async function measure(entry: 'service' | 'constant', { seconds }: BenchOptions): Promise<Ceiling> {
  const folder = await mkdtemp(join(tmpdir(), 'headroom-bench-'));
  const service = await startService({ workers: 1, folder, ...(entry === 'constant' ? { entry: 'system/twins/main.ts', args: ['constant'] } : {}) });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'bench');
    const fleet = await provisionFleet({
      url: service.url,
      accounts: [account],
      run: 'bench',
      devices,
      withTokens: true,
      onProgress: () => undefined,
      signal: new AbortController().signal,
    });
    const drive = (duration: number) =>
      autocannon({
        url: `${service.url}/v1/events`,
        connections,
        duration,
        method: 'POST',
        // Ids must differ, or the service would only look up duplicates.
        idReplacement: true,
        requests: fleet.map(({ token }) => ({
          method: 'POST' as const,
          path: '/v1/events',
          headers: { authorization: token.startsWith('Bearer') ? token : `Bearer ${token}`, 'content-type': 'application/json' },
          body: `[{"id":"[<id>]","type":"location","recorded_at":"${new Date().toISOString()}","data":{"lat":52.379189,"lon":4.899431,"accuracy":8.5,"speed":13.4,"bearing":271.5,"altitude":2.1,"provider":"fused","battery":0.81,"motion":"in_vehicle"}}]`,
        })),
      });
    await drive(3);
    const half = await drive(seconds / 2);
    const pendingHalfway = await readPending(service.url);
    const rest = await drive(seconds / 2);
    const pendingAtEnd = await readPending(service.url);
    return {
      perSecond: (half['2xx'] + rest['2xx']) / (half.duration + rest.duration),
      pendingAtEnd,
      pendingHalfway,
      notAccepted: half.non2xx + rest.non2xx + half.errors + rest.errors,
    };
  } finally {
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function readPending(url: string): Promise<number> {
  const answer = await request(`${url}/metrics`);
  return sumOf(parsePrometheusText(await answer.body.text()), metricNames.eventsPending) ?? Number.NaN;
}

export const ingestBench: Bench = {
  name: 'ingest',
  about: 'durable ingest ceiling ÷ the same app answering a constant',
  seconds: 30,
  run: async (options) => {
    const durable: Ceiling[] = [];
    const constant: Ceiling[] = [];
    for (let run = 0; run < options.runs && !options.signal.aborted; run++) {
      durable.push(await measure('service', options));
      constant.push(await measure('constant', options));
      options.say(
        `round ${run + 1}: durable ${Math.round(durable.at(-1)?.perSecond ?? 0)}/s, constant ${Math.round(constant.at(-1)?.perSecond ?? 0)}/s, pending ${durable.at(-1)?.pendingAtEnd}`,
      );
    }
    const perSecond = (ceilings: readonly Ceiling[]) => median(ceilings.map((ceiling) => ceiling.perSecond));
    const ratio = median(durable.map((ceiling, i) => ceiling.perSecond / (constant[i]?.perSecond ?? Number.NaN)));
    const lagSeconds = median(durable.map((ceiling) => ceiling.pendingAtEnd / ceiling.perSecond));
    return {
      name: 'ingest',
      figures: {
        durable_per_second: round(perSecond(durable), 4),
        constant_per_second: round(perSecond(constant), 4),
        ratio: round(ratio),
        pipeline_lag_seconds_at_end: round(lagSeconds),
        pending_halfway: median(durable.map((ceiling) => ceiling.pendingHalfway)),
        pending_at_end: median(durable.map((ceiling) => ceiling.pendingAtEnd)),
      },
      bars: [
        atLeast('durable ÷ constant', ratio, 0.5),
        atMost('pipeline lag at the end, seconds of load', lagSeconds, 2),
        atMost('requests not accepted', Math.max(...durable.map((ceiling) => ceiling.notAccepted)), 0),
      ],
    };
  },
};
