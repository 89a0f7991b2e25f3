/** Processes by their number, which must be those of a child that still runs: a number is given to somebody else afterwards. */
import { readdirSync, readFileSync } from 'node:fs';

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
  const stat = statOf(pid);
  return stat === undefined || stat.state !== 'Z';
}

/** Those whose parent it is; none where the machine has no /proc. */
export function childrenOf(parent: number): readonly number[] {
  const all = entries('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((pid) => statOf(pid)?.parent === parent);
}

function entries(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** The command's name may hold spaces and brackets: fields are counted from the last bracket. */
function statOf(pid: number): { readonly state: string; readonly parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
