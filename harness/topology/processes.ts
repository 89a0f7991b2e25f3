/** Processes by their number, which must be those of a child that still runs: a number is given to somebody else afterwards. */
import { entries, statFields } from '#harness/metrics/proc.ts';

/** SIGKILL, where it is not gone already. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone: that is what was wanted.
  }
}

/** One that has ended counts as gone even where nobody has waited for it yet, as in a container whose first process does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const [state] = statFields(pid) ?? [];
  return state !== 'Z';
}

/** Those whose parent it is; none where the machine has no /proc. */
export function childrenOf(parent: number): readonly number[] {
  const all = entries('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((pid) => Number(statFields(pid)?.[1]) === parent);
}
