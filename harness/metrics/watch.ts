/** Once a second: the machine, every process of the run, and the service's own metrics. */
import { request } from 'undici';
import type { MachineSecond, ProcessRecord, ProcessSecond, ScrapeSecond } from '#harness/run-result.ts';
import { countPortsTo, machineShares, type ProcessReading, readDescriptorLimit, readMachine, readPortRange, readProcess } from './proc.ts';
import { parsePrometheusText } from './prometheus-text.ts';

export type WatchedProcess = { readonly name: string; readonly role: ProcessRecord['role']; readonly pid: number };

export type WatchInput = {
  /** Milliseconds since the run's origin, by the engine's clock. */
  readonly sinceOriginMs: () => number;
  /** Asked each second, since a supervisor may replace a worker. */
  readonly processes: () => readonly WatchedProcess[];
  /** Of every node. Where there are several, each sample gets its node as a label. */
  readonly metricsUrls: readonly string[];
  /** Ports of the target, and how many addresses with a port there are in all. */
  readonly targetPorts: readonly number[];
  readonly targetAddresses: number;
  readonly scrapeTimeoutMs: number;
};

export type Watched = {
  readonly processes: readonly ProcessRecord[];
  readonly machine: readonly MachineSecond[];
  readonly scrapes: readonly ScrapeSecond[];
  readonly limits: {
    readonly descriptorsMax: number | undefined;
    readonly descriptorsUsedMax: number | undefined;
    readonly portsMax: number | undefined;
    readonly portsUsedMax: number | undefined;
  };
};

/** Where ports are concerned once in five seconds is enough, since reading the kernel's table costs with its length. */
const portsEverySeconds = 5;

const earlyMsMax = 20;

export class Watch {
  readonly #input: WatchInput;
  readonly #processes = new Map<number, { process: WatchedProcess; seconds: ProcessSecond[]; before: ProcessReading }>();
  readonly #machine: MachineSecond[] = [];
  readonly #scrapes: ScrapeSecond[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  #machineBefore;
  #timer: NodeJS.Timeout | undefined;
  #descriptorsUsedMax: number | undefined;
  #portsUsedMax: number | undefined;
  #stopped = false;

  constructor(input: WatchInput) {
    this.#input = input;
    this.#machineBefore = readMachine(input.sinceOriginMs());
    this.#readProcesses(-1);
    this.#arm();
  }

  /** Cores used by all processes of a role in the last second; undefined where it could not be measured. */
  coresOf(role: ProcessRecord['role']): number | undefined {
    let micros: number | undefined;
    for (const { process, seconds } of this.#processes.values()) {
      const last = seconds.at(-1)?.cpuMicros;
      if (process.role === role && last !== undefined) micros = (micros ?? 0) + last;
    }
    return micros === undefined ? undefined : micros / 1e6;
  }

  lastMachine(): MachineSecond | undefined {
    return this.#machine.at(-1);
  }

  lastScrape(): ScrapeSecond | undefined {
    return this.#scrapes.at(-1);
  }

  /** undefined: there is nothing to scrape. */
  async scrapeNow(): Promise<ScrapeSecond | undefined> {
    const second = Math.floor(this.#input.sinceOriginMs() / 1000);
    const { metricsUrls, scrapeTimeoutMs } = this.#input;
    if (metricsUrls.length === 0) return undefined;
    const scraped = mergeNodes(await Promise.all(metricsUrls.map((url) => scrape(url, second, scrapeTimeoutMs))));
    this.#scrapes.push(scraped);
    return scraped;
  }

  async stop(): Promise<Watched> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.allSettled(this.#pending);
    const processes = [...this.#processes.values()].map(({ process, seconds }) => ({ ...process, seconds }));
    return {
      processes,
      machine: this.#machine,
      scrapes: this.#scrapes,
      limits: {
        descriptorsMax: readDescriptorLimit(),
        descriptorsUsedMax: this.#descriptorsUsedMax,
        portsMax: readPortRange(),
        portsUsedMax: this.#portsUsedMax,
      },
    };
  }

  /** To the next whole second of the run, so that figures and cells share their seconds. */
  #arm(): void {
    if (this.#stopped) return;
    // A timer may be up to a millisecond early: the second that is about to end was read already then.
    const toNextMs = 1000 - ((this.#input.sinceOriginMs() + earlyMsMax) % 1000) + earlyMsMax;
    this.#timer = setTimeout(() => this.#tick(), toNextMs);
  }

  #tick(): void {
    // Rounding would take a timer that is late by half a second for the next one.
    const second = Math.floor((this.#input.sinceOriginMs() + earlyMsMax) / 1000) - 1;
    const machineNow = readMachine(this.#input.sinceOriginMs());
    this.#machine.push({ second, ...machineShares(this.#machineBefore, machineNow) });
    this.#machineBefore = machineNow;
    this.#readProcesses(second);
    if (second % portsEverySeconds === 0) this.#portsUsedMax = maximum(this.#portsUsedMax, countPortsTo(this.#input.targetPorts, this.#input.targetAddresses));
    const scraping = this.scrapeNow().finally(() => this.#pending.delete(scraping));
    this.#pending.add(scraping);
    this.#arm();
  }

  #readProcesses(second: number): void {
    for (const process of this.#input.processes()) {
      const now = readProcess(process.pid);
      const known = this.#processes.get(process.pid);
      if (known === undefined) {
        this.#processes.set(process.pid, { process, seconds: [], before: now });
        continue;
      }
      const { before } = known;
      known.seconds.push({
        second,
        cpuMicros: difference(before.cpuMicros, now.cpuMicros),
        residentBytes: now.residentBytes,
        ownBytes: now.ownBytes,
        runQueueWaitMs: difference(before.runQueueWaitMs, now.runQueueWaitMs),
        descriptors: now.descriptors,
      });
      known.before = now;
      if (process.role === 'generator') this.#descriptorsUsedMax = maximum(this.#descriptorsUsedMax, now.descriptors);
    }
  }
}

/** One that failed makes the second's a failed one: a sum with a hole is no sum. */
function mergeNodes(nodes: readonly ScrapeSecond[]): ScrapeSecond {
  const [first] = nodes as readonly [ScrapeSecond, ...ScrapeSecond[]];
  if (nodes.length === 1) return first;
  const labelled = nodes.flatMap(({ values }, i) => Object.entries(values).map(([name, value]) => [withNode(name, i + 1), value] as const));
  return { second: first.second, ok: nodes.every(({ ok }) => ok), values: Object.fromEntries(labelled) };
}

function withNode(sample: string, node: number): string {
  const brace = sample.indexOf('{');
  return brace < 0 ? `${sample}{node="${node}"}` : `${sample.slice(0, brace)}{node="${node}",${sample.slice(brace + 1)}`;
}

/** Never rejects: what does not answer in time is a scrape that failed. */
export async function scrape(url: string, second: number, timeoutMs: number): Promise<ScrapeSecond> {
  try {
    const answer = await request(url, { headersTimeout: timeoutMs, bodyTimeout: timeoutMs, signal: AbortSignal.timeout(timeoutMs) });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) return { second, ok: false, values: {} };
    return { second, ok: true, values: parsePrometheusText(text) };
  } catch {
    return { second, ok: false, values: {} };
  }
}

const difference = (a: number | undefined, b: number | undefined) => (a === undefined || b === undefined ? undefined : b - a);
const maximum = (a: number | undefined, b: number | undefined) => (a === undefined ? b : b === undefined ? a : Math.max(a, b));
