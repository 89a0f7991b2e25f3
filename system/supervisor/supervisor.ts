/** The parent process. */
import cluster, { type Worker } from 'node:cluster';
import type { Config } from '#system/config.ts';
import { createPrinter, type Printer } from '#system/telemetry/prometheus.ts';
import { createGatherer } from './gather.ts';
import type { ToSupervisor, ToWorker } from './messages.ts';

export type SupervisorOptions = {
  readonly workers: number;
  readonly drainTimeoutMs: number;
  /** Environment that workers need beside the parent's own. */
  readonly workerEnvironment: Readonly<Record<string, string>>;
  readonly onReady: (info: {
    readonly url: string;
    readonly adminUrl: string;
    readonly proxyUrl: string | undefined;
    readonly workers: readonly number[];
  }) => void;
  readonly onWorkers: (pids: readonly number[]) => void;
  readonly log: (level: 'info' | 'error', text: string) => void;
};

const respawnPauseMsMin = 100;
const respawnPauseMsMax = 5000;
const healthyAfterMs = 10_000;

/** Resolves with the exit code once every worker has ended. */
export function supervise(options: SupervisorOptions): { readonly drain: () => void; readonly ended: Promise<number> } {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const printer: Printer = createPrinter();
  let listening = 0;
  let isReady = false;
  let draining = false;
  let pauseMs = respawnPauseMsMin;
  let addresses: Addresses | undefined;
  let boundPorts: Readonly<Record<string, string>> = {};
  let end: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const live = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker): worker is Worker => worker?.isConnected() === true);
  const pids = () => live().map((worker) => worker.process.pid as number);
  const send = (worker: Worker, message: ToWorker) => worker.isConnected() && worker.send(message, () => undefined);
  const passOn = (from: Worker, message: ToWorker) => live().forEach((worker) => void (worker.id === from.id || send(worker, message)));
  const watches = createWatches({ send, passOn });
  const { gather, answered } = createGatherer({ live, send });
  const onMessage = async (worker: Worker, message: ToSupervisor): Promise<void> => {
    if (message.kind === 'listening') {
      listening++;
      watches.greet(worker);
      addresses = message;
      if (isReady) options.onWorkers(pids());
      else if (listening === options.workers) {
        isReady = true;
        options.onReady({ ...message, workers: pids() });
      }
    } else if (message.kind === 'failed') {
      options.log('error', message.text);
      if (!isReady) end(1);
    } else if (message.kind === 'snapshot') {
      answered(worker, message.id, message.snapshot);
    } else if (message.kind === 'news') passOn(worker, message);
    else if (message.kind === 'watch') watches.tell(worker, message.accounts);
    else if (message.kind === 'drain-wanted') drain();
    else send(worker, { kind: 'metrics', id: message.id, text: await printer.print(await gather()) });
  };
  const spawn = () => {
    // With the last worker its shared socket was closed, and port 0 would be another port now.
    if (addresses !== undefined && live().length === 0) boundPorts = portEnvironment(addresses);
    const worker = cluster.fork({ ...options.workerEnvironment, ...boundPorts });
    const bornMs = performance.now();
    worker.on('message', (message: ToSupervisor) => void onMessage(worker, message));
    worker.on('exit', (code, signal) => {
      watches.tell(worker, []);
      if (draining) {
        if (live().length === 0) end(0);
      } else if (!isReady) end(1);
      else respawn(worker, `${signal ?? code}`, bornMs);
    });
  };
  const respawn = (worker: Worker, reason: string, bornMs: number) => {
    options.log('error', `worker ${worker.process.pid} ended (${reason}); another one is started`);
    pauseMs = performance.now() - bornMs > healthyAfterMs ? respawnPauseMsMin : Math.min(pauseMs * 2, respawnPauseMsMax);
    setTimeout(() => draining || spawn(), pauseMs);
  };
  const drain = (): void => {
    if (draining) return;
    draining = true;
    if (live().length === 0) end(0);
    for (const worker of live()) send(worker, { kind: 'drain' });
    setTimeout(() => {
      options.log('error', `the drain took longer than ${options.drainTimeoutMs} ms; what is left is ended`);
      for (const worker of live()) worker.process.kill('SIGKILL');
      end(1);
    }, options.drainTimeoutMs).unref();
  };
  for (let i = 0; i < options.workers; i++) spawn();
  return { ended, drain };
}

type WatchOptions = { readonly send: (worker: Worker, message: ToWorker) => unknown; readonly passOn: (from: Worker, message: ToWorker) => void };

/** Which worker wants to hear of whose devices, so that a worker that comes later knows it too. */
function createWatches({ send, passOn }: WatchOptions) {
  const byWorker = new Map<number, readonly string[]>();
  return {
    tell: (worker: Worker, accounts: readonly string[]): void => {
      if (accounts.length === 0 && !byWorker.has(worker.id)) return;
      if (accounts.length === 0) byWorker.delete(worker.id);
      else byWorker.set(worker.id, accounts);
      passOn(worker, { kind: 'watch', worker: worker.id, accounts });
    },
    greet: (worker: Worker): void => {
      for (const [id, accounts] of byWorker) if (id !== worker.id) send(worker, { kind: 'watch', worker: id, accounts });
    },
  };
}

type Addresses = { readonly url: string; readonly adminUrl: string; readonly proxyUrl: string | undefined };
const boundPort = 'HEADROOM_BOUND_PORT';
const boundAdminPort = 'HEADROOM_BOUND_ADMIN_PORT';
const boundProxyPort = 'HEADROOM_BOUND_PROXY_PORT';

const portEnvironment = ({ url, adminUrl, proxyUrl }: Addresses) => ({
  [boundPort]: new URL(url).port,
  [boundAdminPort]: new URL(adminUrl).port,
  ...(proxyUrl === undefined ? {} : { [boundProxyPort]: new URL(proxyUrl).port }),
});

/** In a worker that follows others: the ports that those had. */
export function withBoundPorts(config: Config, environment: Readonly<Record<string, string | undefined>>): Config {
  return {
    ...config,
    port: Number(environment[boundPort] ?? config.port),
    adminPort: Number(environment[boundAdminPort] ?? config.adminPort),
    proxyPort: Number(environment[boundProxyPort] ?? config.proxyPort),
  };
}
