/** Why `--fit` means nothing to a scenario, as a sentence; undefined where it does. Pure. */
import { peakPerSecond } from '#harness/pacing/rate.ts';
import type { Scenario } from '#harness/scenario.ts';

export type FitAsked = { readonly scenario: Scenario; readonly engine: 'native' | 'k6'; readonly owned: boolean };

export function fitTrouble({ scenario, engine, owned }: FitAsked): string | undefined {
  const { name, streams, webhooks, system, phases } = scenario;
  if (engine === 'k6') {
    return `--fit looks for the rate with the native engine, and k6 holds less on the same machine. Run ${name} with --engine native, or set its rates with --set`;
  }
  if (streams !== undefined) {
    return `--fit scales rates of arrivals, and ${name} holds streams, whose number is its load. Set it with --set phases.PHASE.population`;
  }
  if (webhooks !== undefined) {
    return `--fit scales rates of arrivals, and what ${name} costs is told to receivers afterwards. Set its rates with --set phases.PHASE.rate`;
  }
  if (!owned && system?.settings?.['account-quotas'] !== undefined) {
    return `--fit scales the service's quotas with the rates of ${name}, and cannot where the service runs already. Set its rates with --set, and start the service with quotas of the same proportion`;
  }
  if (Math.max(...phases.map(peakPerSecond)) === 0) return `--fit has nothing to scale: ${name} plans no arrivals`;
  return undefined;
}
