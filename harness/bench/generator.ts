/** How faithful and how dear our generator is, beside the tools that people use: one rate, one null target that logs arrivals. */

import { median } from '#harness/metrics/growth.ts';
import { atMost, type Bar, type Bench, round } from './bench.ts';
import { type Measured, ours, type Rounds, runRounds } from './peers/peers.ts';
import { stealShareDuring } from './steal.ts';

const ratePerSecond = 10_000;
/** Where nobody else is asked: few arrivals wake differently than many. */
const otherRates = [1000, 20_000] as const;
const dispersionMax = 1.3;
const connections = 64;
const binWidths = ['0.2', '1', '10'] as const;

const medianOf = (measured: readonly Measured[] | undefined, pick: (each: Measured) => number | null | undefined): number =>
  median((measured ?? []).map((each) => pick(each) ?? Number.NaN));
const dispersionOf = (measured: readonly Measured[] | undefined, width: (typeof binWidths)[number]): number =>
  medianOf(measured, ({ seen }) => seen.dispersion[width]);
const cpuOf = (measured: readonly Measured[] | undefined): number => medianOf(measured, ({ outcome }) => outcome.cpuMicrosPerRequest);

type OwnRound = { readonly ratePerSecond: number; readonly measured: readonly Measured[] };

const evennessBars = (all: readonly OwnRound[]): readonly Bar[] =>
  all.flatMap(({ ratePerSecond: perSecond, measured }) =>
    binWidths.map((width) => atMost(`dispersion as the target sees it, ${perSecond}/s, ${width} ms bins`, dispersionOf(measured, width), dispersionMax)),
  );

function barsOf(rounds: Rounds, dispatchP99Ms: number): readonly Bar[] {
  const { [ours]: our, ...others } = rounds;
  const bestOther = Math.min(...Object.values(others).map((measured) => dispersionOf(measured, '0.2')));
  const cpuBar = (peer: string, limit: number): readonly Bar[] =>
    rounds[peer] === undefined ? [] : [atMost(`CPU a request ÷ ${peer}'s`, cpuOf(our) / cpuOf(rounds[peer]), limit)];
  return [
    atMost("dispersion in 0.2 ms bins ÷ the best other tool's", dispersionOf(our, '0.2') / bestOther, 1),
    atMost('dispatch delay p99, ms', dispatchP99Ms, 0.2),
    ...cpuBar('undici', 1.2),
    ...cpuBar('vegeta', 0.75),
    ...cpuBar('k6', 0.45),
  ];
}

function figuresOf(rounds: Rounds): Record<string, number | null> {
  const figures: Record<string, number | null> = {};
  const put = (name: string, value: number) => {
    figures[name] = Number.isFinite(value) ? round(value) : null;
  };
  for (const [name, measured] of Object.entries(rounds)) {
    put(
      `${name}_requests`,
      medianOf(measured, ({ seen }) => seen.requests),
    );
    put(`${name}_cpu_us_a_request`, cpuOf(measured));
    for (const width of binWidths) put(`${name}_dispersion_${width}_ms`, dispersionOf(measured, width));
    put(
      `${name}_p50_ms`,
      medianOf(measured, ({ outcome }) => outcome.latencyMs.p50),
    );
    put(
      `${name}_p99_ms`,
      medianOf(measured, ({ outcome }) => outcome.latencyMs.p99),
    );
  }
  return figures;
}

export const generatorBench: Bench = {
  name: 'generator',
  about: 'evenness, dispatch delay and CPU at 10,000 requests/s, beside undici, autocannon and what is on PATH; evenness at 1,000 and 20,000/s',
  runs: 5,
  seconds: 10,
  run: async (options) => {
    const steal = stealShareDuring();
    const rounds = await runRounds({ ...options, target: {}, load: { ratePerSecond, connections, seconds: options.seconds } });
    const own: OwnRound[] = [{ ratePerSecond, measured: rounds[ours] ?? [] }];
    for (const perSecond of otherRates) {
      const alone = await runRounds({ ...options, only: ours, target: {}, load: { ratePerSecond: perSecond, connections, seconds: options.seconds } });
      own.push({ ratePerSecond: perSecond, measured: alone[ours] ?? [] });
    }
    const dispatchP99Ms = medianOf(rounds[ours], ({ outcome }) => outcome.dispatchDelayP99Ms);
    return {
      name: 'generator',
      tools: Object.keys(rounds),
      figures: { ...figuresOf(rounds), headroom_dispatch_delay_p99_ms: round(dispatchP99Ms), steal_share: steal() },
      bars: [...evennessBars(own), ...barsOf(rounds, dispatchP99Ms)],
    };
  },
};
