/**
 * Whose numbers are true? The target holds 95 % of its answers back for 2 ms and 5 % for 80 ms and writes down what it really did, from
 * the request read to the answer written. Each tool's quantiles are compared with that, at a rate that all of them hold with ease.
 */

import { median } from '#harness/metrics/growth.ts';
import { quantileMicros } from '#harness/metrics/histogram.ts';
import { atMost, type Bench, round } from './bench.ts';
import type { Quantiles } from './peers/peer.ts';
import { type Measured, ours, runRounds } from './peers/peers.ts';

const ratePerSecond = 2000;
const connections = 64;
const delays = [
  { delayMs: 2, weight: 95 },
  { delayMs: 80, weight: 5 },
] as const;
const quantiles = { p50: 0.5, p90: 0.9, p99: 0.99 } as const;
type QuantileName = keyof typeof quantiles;
/** An answer's kernel time against the time at which others happened to read it. */
const limits: Readonly<Record<QuantileName, number>> = { p50: 0.5, p90: 1, p99: 0.5 };
const names = Object.keys(quantiles) as QuantileName[];

/** Milliseconds reported beyond what happened; undefined where the tool does not say. */
function errorMs({ outcome, seen }: Measured, name: QuantileName, reported: Quantiles | undefined = outcome.latencyMs): number | undefined {
  const logged = quantileMicros(seen.service, quantiles[name]);
  const said = reported?.[name];
  return logged === undefined || said === undefined || said === null ? undefined : said - logged / 1000;
}

const medianError = (measured: readonly Measured[], error: (each: Measured) => number | undefined): number | undefined => {
  const errors = measured.map(error);
  return errors.length === 0 || errors.includes(undefined) ? undefined : median(errors.map((each) => Math.abs(each as number)));
};

export const truthBench: Bench = {
  name: 'truth',
  about: 'reported against what the target logged, at p50, p90 and p99, beside the same tools',
  runs: 5,
  seconds: 15,
  run: async (options) => {
    const rounds = await runRounds({ ...options, target: { delays }, load: { ratePerSecond, connections, seconds: options.seconds } });
    const figures: Record<string, number | null> = {};
    const bars = names.map((name) => {
      const errors = new Map(Object.entries(rounds).map(([peer, measured]) => [peer, medianError(measured, (each) => errorMs(each, name))]));
      for (const [peer, error] of errors) figures[`${peer}_error_${name}_ms`] = error === undefined ? null : round(error);
      const response = medianError(rounds[ours] ?? [], (each) => errorMs(each, name, each.outcome.responseMs));
      figures[`headroom_response_error_${name}_ms`] = response === undefined ? null : round(response);
      const others = [...errors].flatMap(([peer, error]) => (peer === ours || error === undefined ? [] : [error]));
      return atMost(`error at ${name} ÷ the smallest other's`, (errors.get(ours) ?? Number.NaN) / Math.min(...others), limits[name]);
    });
    return { name: 'truth', tools: Object.keys(rounds), figures, bars };
  },
};
