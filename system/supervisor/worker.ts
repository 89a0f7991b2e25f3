/** One worker process: the app, the pipeline, the store. */
import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type AddressInfo, Server } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FastifyInstance } from 'fastify';
import { createTokens } from '#system/accounts/tokens.ts';
import { buildAdminApp, buildApp, type PlainDeps } from '#system/app.ts';
import { createBus, type News, type Relay } from '#system/bus.ts';
import { systemClock } from '#system/clock.ts';
import type { Config } from '#system/config.ts';
import { createProxyListener } from '#system/edge/proxy-listener.ts';
import type { DeviceRef, Store } from '#system/store/store.ts';
import { startDeliveries } from '#system/sync/deliveries.ts';
import { createCounts, type Snapshot } from '#system/telemetry/counts.ts';
import { connectionsMax } from './descriptors.ts';

export type WorkerOptions = {
  readonly config: Config;
  readonly adminToken: string;
  readonly store: Store;
  readonly metrics: () => Promise<string>;
  readonly log: (level: 'info' | 'error', text: string) => void;
  /** To the other workers. */
  readonly relay: Relay;
  readonly startDrain: () => void;
  /** For twins. */
  readonly customise?: (deps: PlainDeps) => PlainDeps;
};

export type RunningWorker = {
  readonly url: string;
  readonly adminUrl: string;
  /** Of the listener with the PROXY protocol, where there is one. */
  readonly proxyUrl: string | undefined;
  /** From the other workers. */
  readonly hear: (news: News) => void;
  readonly hearWatch: (worker: number, accounts: readonly string[]) => void;
  /** Of this worker's own pipeline. */
  readonly deviceNews: (devices: readonly DeviceRef[]) => void;
  readonly snapshot: () => Promise<Snapshot>;
  /** Answers what is in flight, lets clients know by `Connection: close`, ends the pipeline between two steps. */
  readonly drain: () => Promise<void>;
};

// Long enough for a busy client to see `Connection: close` on its next answer before idle connections are cut.
const announceMs = 300;
// The shared socket is closed by the supervisor once the last worker has let go of it.
const socketClosesMs = 200;
/** What a drain takes behind its streams' window. */
const closingMsMax = 5000;
const streamsMaxDefault = 10_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function startWorker({ config, adminToken, store, metrics, log, relay, startDrain, customise }: WorkerOptions): Promise<RunningWorker> {
  const clock = systemClock;
  const key = config.signingKey ?? (await store.settle({ name: 'signing-key', candidate: randomBytes(32).toString('base64url') }));
  const counts = createCounts();
  let draining = false;
  let closing = false;
  const bus = createBus(relay);
  const max = connectionsMax();
  const plain: PlainDeps = {
    store,
    tokens: createTokens({ key, clock }),
    clock,
    counts,
    autoRegistration: config.autoRegistration,
    metrics,
    isDraining: () => draining,
    isClosing: () => closing,
    bus,
    streams: { ageMs: config.streamAgeMs, positionCheckMs: config.positionCheckMs, presenceTimeoutMs: config.presenceTimeoutMs },
    balancerIdleTimeoutMs: config.balancerIdleTimeoutMs,
    streamsMax: max ?? streamsMaxDefault,
    log,
  };
  const deps = customise?.(plain) ?? plain;
  const tls =
    config.tlsCert === undefined || config.tlsKey === undefined ? undefined : { cert: readFileSync(config.tlsCert), key: readFileSync(config.tlsKey) };
  const app = await buildApp(deps, tls);
  const adminApp = await buildAdminApp({ ...deps, adminToken, startDrain });
  const adminUrl = await adminApp.listen({ host: '127.0.0.1', port: config.adminPort });
  const url = await app.listen({ host: config.host, port: config.port, backlog: 4096 });
  const proxy = await listenForProxies(config, app, max);
  const deliveries = startDeliveries({ store: deps.store, clock, poke: bus.poke, onTrouble: (error) => log('error', `deliveries pause: ${String(error)}`) });
  if (max !== undefined) app.server.maxConnections = max;
  const loopDelay = monitorEventLoopDelay({ resolution: 10 });
  loopDelay.enable();
  return {
    url,
    adminUrl,
    proxyUrl: proxy?.url,
    hear: bus.receive,
    hearWatch: bus.receiveWatch,
    deviceNews: deps.bus.tellDevices,
    snapshot: () => takeSnapshot({ store: deps.store, counts, app, loopDelay }),
    drain: async () => {
      draining = true;
      await app.hub.drain(Math.max(0, Math.min(config.drainWindowMs, config.drainTimeoutMs - closingMsMax)));
      await deliveries.stop();
      // First nobody new, while connections that are there go on: telling a client to reconnect before the shared socket is closed
      // would lead it into an accept queue that is reset. net's close, since http's also ends idle connections.
      Server.prototype.close.call(app.server);
      proxy?.server.close();
      await pause(socketClosesMs);
      closing = true;
      await pause(announceMs);
      await Promise.all([app.close(), adminApp.close()]);
      // The pipeline ends with the store, between two steps.
      await store.close();
    },
  };
}

async function listenForProxies(
  config: Config,
  app: FastifyInstance,
  connectionsMax: number | undefined,
): Promise<{ url: string; server: Server } | undefined> {
  if (config.proxyProtocol === 'off') return undefined;
  const server = createProxyListener({ version: config.proxyProtocol, trusted: config.proxyTrusted, http: app.server, connectionsMax });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ host: config.host, port: config.proxyPort, backlog: 4096 }, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return { server, url: `http://${address.includes(':') ? `[${address}]` : address}:${port}` };
}

type Watching = {
  readonly store: Store;
  readonly counts: ReturnType<typeof createCounts>;
  readonly app: FastifyInstance;
  readonly loopDelay: ReturnType<typeof monitorEventLoopDelay>;
};

async function takeSnapshot({ store, counts, app, loopDelay }: Watching): Promise<Snapshot> {
  const cpu = process.cpuUsage();
  const connections = await new Promise<number>((resolve) => app.server.getConnections((error, count) => resolve(error ? 0 : count)));
  const stored = await readStore(store);
  const loopDelaySeconds = loopDelay.max / 1e9;
  loopDelay.reset();
  return {
    worker: cluster.worker?.id ?? 1,
    requests: counts.requests,
    routes: counts.routes,
    appends: counts.appends,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    residentBytes: readResident(),
    loopDelaySeconds,
    connections,
    streams: { ...app.hub.counts, held: app.hub.held() },
    store: stored,
  };
}

async function readStore(store: Store): Promise<Snapshot['store']> {
  try {
    const [counters, backlog] = await Promise.all([store.readCounters(), store.readBacklog()]);
    const lagSeconds = backlog.oldestReceivedAtMs === undefined ? 0 : Math.max(0, (systemClock.wallMs() - backlog.oldestReceivedAtMs) / 1000);
    return { ...counters, pending: backlog.pending, lagSeconds };
  } catch {
    // Without its store a worker still tells the rest; the missing samples are what an alarm looks for.
    return undefined;
  }
}

/** At the descriptor limit memoryUsage throws, since it opens a file: a metric must not end a worker. */
function readResident(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}
