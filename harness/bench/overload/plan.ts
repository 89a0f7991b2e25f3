/** What every tool is asked to do, and to which target. */
import { startTargetProcess, type TargetProcess } from '#harness/bench/target-process.ts';
import type { BucketReport } from './bucket-target.ts';

export const capacityPerSecond = 2000;
export const timeoutMs = 2000;
/** Of our fleet, and of the peers in its place. */
export const connectionsMax = 4000;
/** After the timeout, so much later everything has to be as before. */
export const settleMs = 2000;

export type PlanPhase = { readonly name: 'before' | 'over' | 'after'; readonly seconds: number; readonly ratePerSecond: number };
export type OverloadPlan = readonly [PlanPhase, PlanPhase, PlanPhase];

/** `seconds` of overload, half as long before it, and as long again after it once the timeout is past. */
export function planOf(seconds: number): OverloadPlan {
  const calm = Math.ceil(seconds / 2);
  const calmPerSecond = 0.8 * capacityPerSecond;
  return [
    { name: 'before', seconds: calm + 2, ratePerSecond: calmPerSecond },
    { name: 'over', seconds, ratePerSecond: 3 * capacityPerSecond },
    { name: 'after', seconds: calm + (timeoutMs + settleMs) / 1000, ratePerSecond: calmPerSecond },
  ];
}

export const plannedOf = (plan: OverloadPlan): number => plan.reduce((sum, { seconds, ratePerSecond }) => sum + seconds * ratePerSecond, 0);

export const startBucket = (): Promise<TargetProcess<BucketReport>> =>
  startTargetProcess<BucketReport>(new URL('./bucket-target.ts', import.meta.url), [String(capacityPerSecond)]);
