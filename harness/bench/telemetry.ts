/**
 * What being observed costs the service: CPU of a constant answer with its metrics counted and scraped each second, beside the same app that
 * counts nothing, as a share of what a durable request costs. The constant answer is the quietest place to see a difference of half a microsecond.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '#harness/metrics/growth.ts';
import { atMost, type Bench, round } from './bench.ts';
import { type Driven, type LoadedService, withLoadedService } from './loaded-service.ts';

/** Scraped each second as a Prometheus would that is in a hurry. */
async function driveScraped({ drive, scrape }: LoadedService, seconds: number): Promise<Driven> {
  const done = new AbortController();
  const scraping = (async () => {
    while (!done.signal.aborted) {
      await scrape();
      await sleep(1000, undefined, { signal: done.signal }).catch(() => undefined);
    }
  })();
  try {
    return await drive(seconds);
  } finally {
    done.abort();
    await scraping;
  }
}

const microsOf = ({ cpuMicros, accepted }: Driven): number => cpuMicros / accepted;

export const telemetryBench: Bench = {
  name: 'telemetry',
  about: 'CPU of the metrics as a share of a durable request',
  runs: 5,
  seconds: 10,
  run: async ({ runs, seconds, say, signal }) => {
    const durable: number[] = [];
    const counted: number[] = [];
    const uncounted: number[] = [];
    for (let run = 0; run < runs && !signal.aborted; run++) {
      uncounted.push(microsOf(await withLoadedService('uncounted', ({ drive }) => drive(seconds))));
      counted.push(microsOf(await withLoadedService('constant', (service) => driveScraped(service, seconds))));
      durable.push(microsOf(await withLoadedService(undefined, (service) => driveScraped(service, seconds))));
      say(
        `round ${run + 1}: uncounted ${uncounted.at(-1)?.toFixed(2)}, counted ${counted.at(-1)?.toFixed(2)}, durable ${durable.at(-1)?.toFixed(2)} µs a request`,
      );
    }
    const costs = counted.map((micros, i) => micros - (uncounted[i] as number));
    const share = median(costs.map((cost, i) => cost / (durable[i] as number)));
    return {
      name: 'telemetry',
      figures: {
        uncounted_us_a_request: round(median(uncounted)),
        counted_us_a_request: round(median(counted)),
        durable_us_a_request: round(median(durable)),
        telemetry_us_a_request: round(median(costs)),
        share_of_the_constant_answer: round(median(costs.map((cost, i) => cost / (uncounted[i] as number)))),
      },
      bars: [atMost('telemetry ÷ a durable request', share, 0.05)],
    };
  },
};
