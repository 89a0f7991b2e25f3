/** What programs beside this run had of the machine. Pure. */
import type { RunResult } from '#harness/run-result.ts';
import { sumsOfRole } from './process-sums.ts';

const roles = ['generator', 'system', 'probe', 'balancer'] as const;

/**
 * By second, as a share of all cores, 0 to 1. It contains what the kernel does for the run in its own name (disk, network), some
 * 0.05 under load. Empty where the service runs elsewhere: on this machine it would be one of the others.
 */
export function othersShares({
  processes,
  machine,
  run,
}: Pick<RunResult, 'processes' | 'machine'> & { readonly run: { readonly machine: { readonly cores: number } } }): ReadonlyMap<number, number> {
  const ours = roles.map((role) => sumsOfRole(processes, role, 'cpuMicros'));
  const [generator, system] = ours;
  const shares = new Map<number, number>();
  for (const { second, busyShare, stealShare = 0 } of machine) {
    if (busyShare === undefined || generator?.has(second) !== true || system?.has(second) !== true) continue;
    const micros = ours.reduce((sum, role) => sum + (role.get(second) ?? 0), 0);
    shares.set(second, Math.max(0, busyShare - stealShare - micros / (run.machine.cores * 1e6)));
  }
  return shares;
}
