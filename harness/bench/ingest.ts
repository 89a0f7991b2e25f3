/**
 * How much of Fastify's own ceiling the durable ingest keeps. Numerator: the service, closed loop, every 202 flushed. Denominator:
 * the same app with the same hooks (token check, telemetry) and workers, whose handler answers a constant. autocannon drives
 * both: closed loops are what it measures well.
 */

import { median } from '#harness/metrics/growth.ts';
import { sumOf } from '#harness/metrics/prometheus-text.ts';
import { metricNames } from '#system/protocol/metric-names.ts';
import { atLeast, atMost, type Bench, round } from './bench.ts';
import { type LoadedService, withLoadedService } from './loaded-service.ts';

type Ceiling = { readonly perSecond: number; readonly pendingAtEnd: number; readonly pendingHalfway: number; readonly notAccepted: number };

const measure = (twin: 'constant' | undefined, seconds: number): Promise<Ceiling> =>
  withLoadedService(twin, async (service) => {
    const half = await service.drive(seconds / 2);
    const pendingHalfway = await readPending(service);
    const rest = await service.drive(seconds / 2);
    return {
      perSecond: (half.accepted + rest.accepted) / (half.seconds + rest.seconds),
      pendingHalfway,
      pendingAtEnd: await readPending(service),
      notAccepted: half.notAccepted + rest.notAccepted,
    };
  });

const readPending = async ({ scrape }: LoadedService): Promise<number> => sumOf(await scrape(), metricNames.eventsPending) ?? Number.NaN;

export const ingestBench: Bench = {
  name: 'ingest',
  about: 'durable ingest ceiling ÷ the same app answering a constant',
  runs: 5,
  seconds: 30,
  run: async (options) => {
    const durable: Ceiling[] = [];
    const constant: Ceiling[] = [];
    for (let run = 0; run < options.runs && !options.signal.aborted; run++) {
      durable.push(await measure(undefined, options.seconds));
      constant.push(await measure('constant', options.seconds));
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
