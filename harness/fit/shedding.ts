/** Whose refusals belong to a scenario's plan: those of devices that come back, and those that a threshold asks for. Pure. */
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import type { Scenario } from '#harness/scenario.ts';

export type ShedsByPlan = (operation: string) => boolean;

export function shedsByPlan({ fleet }: Pick<Scenario, 'fleet'>, thresholds: readonly ParsedThreshold[]): ShedsByPlan {
  const ofShed = thresholds.filter(({ metric }) => metric.name === 'shed');
  const asks = ({ operator }: ParsedThreshold): boolean => operator === '>' || operator === '>=';
  return (operation) => {
    const own = ofShed.filter(({ selector }) => selector.operation === undefined || selector.operation === operation);
    if (own.some(asks)) return true;
    return fleet.retry !== undefined && own.length === 0;
  };
}
