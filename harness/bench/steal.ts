/** What the hypervisor took while a bench ran: beyond a few percent its figures are not this machine's. */
import { machineShares, readMachine } from '#harness/metrics/proc.ts';
import { round } from './bench.ts';

/** Starts now; asked, gives the share of all cores' time since then, null where it is not measurable. */
export function stealShareDuring(): () => number | null {
  const before = readMachine(performance.now());
  return () => {
    const { stealShare } = machineShares(before, readMachine(performance.now()));
    return stealShare === undefined ? null : round(stealShare);
  };
}
