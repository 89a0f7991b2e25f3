/** One node: a service of this run's on ports of its own, that can be hurt and comes back on them. */
import type { WatchedProcess } from '#harness/metrics/watch.ts';
import { askAdmin } from './accounts.ts';
import { endAtOnce } from './end-at-once.ts';
import { freePorts } from './free-ports.ts';
import { isRunning } from './processes.ts';
import { type Service, type ServicePorts, ServiceStartError, startService } from './service-process.ts';
import { waitUntil } from './wait-until.ts';

export type NodeOptions = {
  /** As messages name it: `node-2`. */
  readonly name: string;
  /** Before the names of its processes. */
  readonly prefix: string;
  readonly workers: number;
  /** Data folder, which nodes share. */
  readonly folder: string;
  readonly logFile: string;
  readonly hosts: readonly string[];
  readonly args: readonly string[];
  /** Of its first start only. */
  readonly firstArgs: readonly string[];
  /** How long a worker may take to say goodbye. */
  readonly drainTimeoutMs: number;
};

const startsMax = 3;
/** Of a machine that is under the load of a run. */
const startTimeoutMs = 60_000;
const respawnWithinMs = 30_000;
/** What a worker's restart takes beside its drain: to start on a busy machine. */
const workerStartMs = 20_000;

export async function startNode(options: NodeOptions): Promise<ServiceNode> {
  for (let starts = 1; ; starts++) {
    const [port, adminPort, proxyPort] = (await freePorts(3, options.hosts)) as [number, number, number];
    const ports = { port, adminPort, proxyPort };
    try {
      return new ServiceNode(options, ports, await start(options, ports, [...options.firstArgs, ...options.args]));
    } catch (error) {
      if (starts === startsMax || !isTaken(error)) throw error;
    }
  }
}

const start = ({ workers, folder, logFile }: NodeOptions, ports: ServicePorts, args: readonly string[]): Promise<Service> =>
  startService({ workers, folder, logFile, ports, args, startTimeoutMs });

const isTaken = (error: unknown): boolean => error instanceof ServiceStartError && error.lastWords.some((line) => line.includes('is taken'));

export class ServiceNode {
  readonly url: string;
  readonly urls: readonly string[];
  readonly proxyUrl: string | undefined;
  readonly #options: NodeOptions;
  readonly #ports: ServicePorts;
  #service: Service | undefined;
  #coming: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: NodeOptions, ports: ServicePorts, service: Service) {
    this.#options = options;
    this.#ports = ports;
    this.url = service.url;
    this.urls = service.urls;
    this.proxyUrl = service.proxyUrl;
    this.#hold(service);
  }

  /** Throws where it is not there just now. */
  running(): Service {
    if (this.#service === undefined) throw new Error(`${this.#options.name} is not running`);
    return this.#service;
  }

  /** Supervisor and workers, as they are now. */
  processes(): readonly WatchedProcess[] {
    const { prefix } = this.#options;
    if (this.#service === undefined) return [];
    return [
      { name: `${prefix}supervisor`, role: 'system', pid: this.#service.pid },
      ...this.#service.workerPids().map((pid, i): WatchedProcess => ({ name: `${prefix}worker-${i + 1}`, role: 'system', pid })),
    ];
  }

  /** Resolves when its supervisor has another one. */
  async killWorker(): Promise<void> {
    const { name, workers } = this.#options;
    const service = this.running();
    const killed = service.workerPids().find(isRunning);
    if (killed === undefined) throw new Error(`${name} has no worker just now`);
    process.kill(killed, 'SIGKILL');
    const isReplaced = (): boolean => !service.workerPids().includes(killed) && service.workerPids().length >= workers;
    await waitUntil(isReplaced, { limitMs: respawnWithinMs, what: `another worker of ${name}` });
  }

  /** Everything of it at once, without a goodbye. Resolves when it is ready again. */
  killAndRestart(): Promise<void> {
    this.#coming = this.#killAndRestart(this.running());
    return this.#coming;
  }

  async #killAndRestart(service: Service): Promise<void> {
    this.#service = undefined;
    await endAtOnce(service, this.#options.name);
    if (!this.#isStopping) this.#hold(await start(this.#options, this.#ports, this.#options.args));
  }

  /** The service's own way; resolves when every worker is another one. */
  async restartWorkers(): Promise<void> {
    const { name, workers, drainTimeoutMs } = this.#options;
    const service = this.running();
    const before = new Set(service.workerPids());
    await askAdmin(service, { path: '/admin/v1/restart-workers', expected: 202 });
    // A process may be gone before its supervisor has said so.
    const isRestarted = (): boolean => {
      const now = service.workerPids();
      return now.length >= workers && !now.some((pid) => before.has(pid)) && ![...before].some(isRunning);
    };
    await waitUntil(isRestarted, { limitMs: workers * (drainTimeoutMs + workerStartMs), what: `the restart of all workers of ${name}` });
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#coming.catch(() => undefined);
    await this.#service?.stop();
  }

  /** Its workers end with their supervisor. */
  kill(): void {
    this.#service?.kill();
  }

  #hold(service: Service): void {
    this.#service = service;
    void service.exited.then(() => {
      if (this.#service === service) this.#service = undefined;
    });
  }
}
