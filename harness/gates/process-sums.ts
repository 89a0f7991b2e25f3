/** A role's processes together. Pure. */
import type { ProcessRecord, ProcessSecond } from '#harness/run-result.ts';

/** By second: the sum over the role's processes; without the seconds in which one of them was not measurable. */
export function sumsOfRole(
  processes: readonly ProcessRecord[],
  role: string,
  figure: 'cpuMicros' | 'residentBytes' | 'ownBytes' | 'descriptors' | 'runQueueWaitMs',
): ReadonlyMap<number, number> {
  const sums = new Map<number, number>();
  const unmeasured = new Set<number>();
  const add = (one: ProcessSecond): void => {
    const value = one[figure];
    if (value === undefined) unmeasured.add(one.second);
    else sums.set(one.second, (sums.get(one.second) ?? 0) + value);
  };
  for (const process of processes) if (process.role === role) process.seconds.forEach(add);
  for (const second of unmeasured) sums.delete(second);
  return sums;
}
