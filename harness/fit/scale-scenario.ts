/** The scenario with all its rates scaled by one factor. Pure. The room's README says what is scaled and what is not. */
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import type { Phase, RateCurve, Scenario, System } from '#harness/scenario.ts';

export function scaledScenario(scenario: Scenario, factor: number): Scenario {
  if (factor === 1) return scenario;
  const { system } = scenario;
  return {
    ...scenario,
    phases: scenario.phases.map((phase): Phase => ({ ...phase, rate: scaledRate(phase.rate, factor) })),
    ...(system === undefined ? {} : { system: scaledSystem(system, factor) }),
  };
}

function scaledRate(rate: RateCurve, factor: number): RateCurve {
  switch (rate.kind) {
    case 'constant':
      return { ...rate, ratePerSecond: rate.ratePerSecond * factor };
    case 'ramp':
      return { ...rate, fromPerSecond: rate.fromPerSecond * factor, toPerSecond: rate.toPerSecond * factor };
    case 'step':
      return { ...rate, steps: rate.steps.map((step) => ({ ...step, ratePerSecond: step.ratePerSecond * factor })) };
    case 'spike':
      return { ...rate, basePerSecond: rate.basePerSecond * factor, peakPerSecond: rate.peakPerSecond * factor };
  }
}

/** A flood of six times its quota stays one: the setting whose unit is requests a second follows the rates. */
const quotasSetting = 'account-quotas';

function scaledSystem(system: System, factor: number): System {
  const quotas = system.settings?.[quotasSetting];
  if (typeof quotas !== 'string') return system;
  return { ...system, settings: { ...system.settings, [quotasSetting]: scaledQuotas(quotas, factor) } };
}

/** `ingest=500,read=70`; a quota is a whole number from 1. */
const scaledQuotas = (quotas: string, factor: number): string =>
  quotas.replaceAll(/=\s*(\d+)/g, (_, perSecond: string) => `=${Math.max(1, Math.round(Number(perSecond) * factor))}`);

/** Thresholds whose limit is a number of requests: it was written for the rates as they were. */
export const unscaledThresholds = (thresholds: readonly ParsedThreshold[]): readonly ParsedThreshold[] =>
  thresholds.filter(({ aggregation, limit }) => aggregation.kind === 'count' && limit !== 0);
