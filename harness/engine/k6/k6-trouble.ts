/** What of a scenario k6 cannot do at all. Pure. */
import { arrivalCount } from '#harness/pacing/rate.ts';
import { type Scenario, thinkTimesOf, trafficOf } from '#harness/scenario.ts';
import { thinkingMost, vusMax } from './k6-plan.ts';

/** Three numbers of eight bytes an arrival are kept until the end. */
export const k6ArrivalsMax = 10_000_000;

const unmeasuredByK6 = /^(dispatch_delay_ms|read_uncertainty_ms)\b/;

/** A sentence, or undefined where k6 can drive it. */
export function k6Trouble(scenario: Scenario): string | undefined {
  const { name, fleet, phases, thresholds, streams, webhooks, clock, chains } = scenario;
  if (streams !== undefined) {
    return `${name} holds streams, and k6 cannot: it reads a response to its end before the script sees any of it, and an open one occupies a whole VU. Run it with --engine native`;
  }
  if (webhooks !== undefined) {
    return `${name} has receivers of webhooks, and with k6 nobody knows which registrations were acknowledged, of which they have to be told. Run it with --engine native`;
  }
  if (fleet.connection.kind === 'per-device-group' && (fleet.connection.openMax ?? fleet.connection.opensPerSecond) !== undefined) {
    return `${name} says how many connections its fleet has (fleet.connection), and k6 has one for each of its VUs. Run it with --engine native`;
  }
  if (fleet.retry !== undefined) {
    return `${name} has devices that come back (fleet.retry), and with k6 each one that waits would occupy a VU of those that arrivals need. Run it with --engine native`;
  }
  const thinking = thinkingMost(
    phases.map((phase) => ({ ...phase, traffic: trafficOf(phase) })),
    thinkTimesOf(chains),
  );
  if (thinking > vusMax)
    return `${name} has about ${Math.round(thinking).toLocaleString('en-US')} users at once that think, each with k6 in a VU of its own, of which there are at most ${vusMax.toLocaleString('en-US')}. Run it with --engine native, or with a lower rate or shorter thinkTime`;
  const silent = thresholds.find(({ metric }) => unmeasuredByK6.test(metric));
  if (silent !== undefined)
    return `${name} has a threshold on ${silent.metric}, which k6 does not measure, so there would be no sample. Run it with --engine native, or without the threshold`;
  const scale = clock?.scale ?? 1;
  const arrivals = phases.reduce((sum, phase) => sum + arrivalCount(phase), 0) / scale;
  if (arrivals > k6ArrivalsMax) {
    return `${name} plans ${Math.round(arrivals).toLocaleString('en-US')} arrivals; with k6, whose samples come one by one, at most ${k6ArrivalsMax.toLocaleString('en-US')} fit a run`;
  }
  return undefined;
}
