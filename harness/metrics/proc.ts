/**
 * Figures of the operating system, from /proc. What a machine does not have is `undefined` ("not measurable"), never 0: a
 * missing figure must not look like a quiet machine.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';

// USER_HZ: 100 on every Linux that Node runs on; /proc counts CPU time in it.
const microsPerTick = 10_000;
const pageBytes = 4096;

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export type MachineReading = {
  readonly totalTicks: number | undefined;
  readonly idleTicks: number | undefined;
  readonly stealTicks: number | undefined;
  readonly pressureMicros: number | undefined;
  readonly throttledPeriods: number | undefined;
  readonly atMs: number;
};

export function readMachine(atMs: number): MachineReading {
  const cpu = readOrNothing('/proc/stat')?.split('\n', 1)[0]?.trim().split(/\s+/).slice(1).map(Number);
  const pressure = readOrNothing('/proc/pressure/cpu')?.match(/^some .*total=(\d+)/m);
  const throttled = readOrNothing('/sys/fs/cgroup/cpu.stat')?.match(/^nr_throttled (\d+)/m);
  return {
    // user nice system idle iowait irq softirq steal; guest time is inside user already.
    totalTicks: cpu?.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0),
    idleTicks: cpu === undefined ? undefined : (cpu[3] ?? 0) + (cpu[4] ?? 0),
    stealTicks: cpu?.[7],
    pressureMicros: pressure == null ? undefined : Number(pressure[1]),
    throttledPeriods: throttled == null ? undefined : Number(throttled[1]),
    atMs,
  };
}

/** Shares of all cores' time between two readings, 0 to 1. */
export function machineShares(before: MachineReading, after: MachineReading) {
  const total = difference(before.totalTicks, after.totalTicks);
  const share = (ticks: number | undefined) => (total === undefined || total === 0 || ticks === undefined ? undefined : ticks / total);
  const idle = difference(before.idleTicks, after.idleTicks);
  const pressure = difference(before.pressureMicros, after.pressureMicros);
  return {
    stealShare: share(difference(before.stealTicks, after.stealTicks)),
    busyShare: idle === undefined || total === undefined ? undefined : share(total - idle),
    cpuPressureShare: pressure === undefined ? undefined : pressure / Math.max(1, (after.atMs - before.atMs) * 1000),
    throttledPeriods: difference(before.throttledPeriods, after.throttledPeriods),
  };
}

const difference = (a: number | undefined, b: number | undefined) => (a === undefined || b === undefined ? undefined : b - a);

export type ProcessReading = {
  readonly cpuMicros: number | undefined;
  readonly residentBytes: number | undefined;
  readonly ownBytes: number | undefined;
  readonly runQueueWaitMs: number | undefined;
  readonly descriptors: number | undefined;
};

/** CPU and run-queue wait since the process began, of all its threads. A process that has ended reads as all undefined. */
export function readProcess(pid: number): ProcessReading {
  const fields = statFields(pid);
  const [, resident, shared] = readOrNothing(`/proc/${pid}/statm`)?.split(' ').map(Number) ?? [];
  return {
    cpuMicros: fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * microsPerTick,
    residentBytes: resident === undefined ? undefined : resident * pageBytes,
    ownBytes: resident === undefined || shared === undefined ? undefined : (resident - shared) * pageBytes,
    runQueueWaitMs: readRunQueueWaitMs(pid),
    descriptors: countDescriptors(pid),
  };
}

/** CPU of this process's children that have ended and were waited for. */
export function readChildrenCpuMicros(): number | undefined {
  const fields = statFields('self');
  return fields === undefined ? undefined : (Number(fields[13]) + Number(fields[14])) * microsPerTick;
}

/** From the state on. The command's name may hold spaces and brackets: fields are counted from the last bracket. */
export function statFields(pid: number | 'self'): readonly string[] | undefined {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function readRunQueueWaitMs(pid: number): number | undefined {
  let waitNs = 0;
  let seen = false;
  for (const thread of entries(`/proc/${pid}/task`)) {
    const field = readOrNothing(`/proc/${pid}/task/${thread}/schedstat`)?.split(' ')[1];
    if (field === undefined) continue;
    waitNs += Number(field);
    seen = true;
  }
  return seen ? waitNs / 1e6 : undefined;
}

/** What is in a folder; nothing where there is none. */
export function entries(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Open files of a process. Since Linux 6.2 the folder's size is their number, which costs nothing where listing 17,000 of them takes milliseconds. */
function countDescriptors(pid: number): number | undefined {
  const path = `/proc/${pid}/fd`;
  try {
    const { size } = statSync(path);
    if (size > 0) return size;
  } catch {
    return undefined;
  }
  const count = entries(path).length;
  return count === 0 ? undefined : count;
}

/** The soft limit on open files of this process. */
export function readDescriptorLimit(): number | undefined {
  const limit = readOrNothing('/proc/self/limits')?.match(/^Max open files\s+(\d+)/m);
  return limit == null ? undefined : Number(limit[1]);
}

export function readPortRange(): number | undefined {
  const range = readOrNothing('/proc/sys/net/ipv4/ip_local_port_range')?.trim().split(/\s+/).map(Number);
  return range === undefined ? undefined : range[1]! - range[0]! + 1;
}

/** The kernel walks all of its table for each page of it: with 200,000 sockets one reading takes seconds, in which connections wait. */
const socketsListedMax = 20_000;

/**
 * Local ports that hold a connection to one of `ports`, TIME_WAIT ones included: what counts against the ephemeral range. The range is there once
 * for each destination, so the fullest one's count. Of very many sockets only the sum is read: then connections are taken to be spread evenly over
 * the destinations, and to have both of their ends on this machine; and TIME_WAIT ones are left out, since they may be those of the run before.
 */
export function countPortsTo(ports: readonly number[], destinations: number): number | undefined {
  const [inUse, waiting] = readSocketCounts();
  if (inUse === undefined || waiting === undefined) return undefined;
  return inUse + waiting > socketsListedMax ? Math.ceil(inUse / 2 / destinations) : listPortsTo(ports);
}

function readSocketCounts(): readonly (number | undefined)[] {
  const found = /^TCP: inuse (\d+) orphan \d+ tw (\d+)/m.exec(readOrNothing('/proc/net/sockstat') ?? '');
  return [found?.[1], found?.[2]].map((text) => (text === undefined ? undefined : Number(text)));
}

function listPortsTo(ports: readonly number[]): number | undefined {
  const table = readOrNothing('/proc/net/tcp');
  if (table === undefined) return undefined;
  const suffixes = new Set(ports.map((port) => port.toString(16).toUpperCase().padStart(4, '0')));
  const byDestination = new Map<string, number>();
  for (const line of table.split('\n')) {
    const destination = line.trim().split(/\s+/, 3)[2];
    if (destination === undefined || !suffixes.has(destination.slice(destination.indexOf(':') + 1))) continue;
    byDestination.set(destination, (byDestination.get(destination) ?? 0) + 1);
  }
  return Math.max(0, ...byDestination.values());
}

export function describeMachine(memoryBytes: number, kernel: string) {
  const cpu = readOrNothing('/proc/cpuinfo')?.match(/^model name\s*:\s*(.+)$/m)?.[1] ?? 'unknown';
  return { cpu, cores: availableParallelism(), memoryBytes, kernel };
}
