/** One worker process: the app, the pipeline, the store. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { createTokens } from '#system/accounts/tokens.ts';
import { laneNames } from '#system/admission/lanes.ts';
import { type AppDeps, buildAdminApp, buildApp, type PlainDeps, type TlsFiles, withDefaults } from '#system/app.ts';
import { type Archiver, startArchiver } from '#system/archive/archiver.ts';
import { createBus, type News, type Relay, type Watch } from '#system/bus.ts';
import { systemClock } from '#system/clock.ts';
import type { Config } from '#system/config.ts';
import { admissionOf } from '#system/config-admission.ts';
import { archiverSettings, vaultOf } from '#system/config-archive.ts';
import { corsSettingsOf } from '#system/config-cors.ts';
import { webhookSettingsOf } from '#system/config-webhooks.ts';
import { createProxyListener } from '#system/edge/proxy-listener.ts';
import type { RestartOutcome } from '#system/routes-admin.ts';
import type { DeviceRef, Store } from '#system/store/store.ts';
import type { Permits } from '#system/stream/permits.ts';
import { startDeliveries } from '#system/sync/deliveries.ts';
import { watchClock } from '#system/telemetry/clock-watch.ts';
import { createCounts, type Snapshot } from '#system/telemetry/counts.ts';
import { type Dispatcher, noWebhookCounts, startDispatcher, type WebhookCounts } from '#system/webhooks/dispatcher.ts';
import { createWebhookKit } from '#system/webhooks/kit.ts';
import { createWebhooks } from '#system/webhooks/webhooks.ts';
import { createDoors, type Doors, doorTo, urlOf } from './doors.ts';
import { createEnding, type Phase } from './ending.ts';
import { createSnapshots } from './snapshot.ts';

export type WorkerOptions = {
  readonly config: Config;
  readonly adminToken: string;
  readonly store: Store;
  readonly metrics: () => Promise<string>;
  readonly log: (level: 'info' | 'error', text: string) => void;
  /** To the other workers. */
  readonly relay: Relay;
  readonly startDrain: () => void;
  readonly restartWorkers: () => Promise<RestartOutcome>;
  /** Of streams, over all workers. */
  readonly permits: Permits;
  /** Undefined: no limit. */
  readonly connectionsMax: number | undefined;
  /** The same in all workers, so that one resumes the TLS session of another; 48 bytes. */
  readonly ticketKeys?: Buffer | undefined;
  /** For twins. */
  readonly customise?: (deps: PlainDeps) => PlainDeps;
};

export type Addresses = {
  /** One a host, in the order of the setting. */
  readonly urls: readonly string[];
  readonly adminUrl: string;
  /** Of the listener with the PROXY protocol, where there is one. */
  readonly proxyUrl: string | undefined;
};

export type RunningWorker = Addresses & {
  /** From the other workers. */
  readonly hear: (news: News) => void;
  readonly hearWatch: (worker: number, accounts: readonly string[]) => void;
  readonly hearWatches: (all: readonly Watch[]) => void;
  /** Of this worker's own pipeline. */
  readonly deviceNews: (devices: readonly DeviceRef[]) => void;
  readonly snapshot: () => Promise<Snapshot>;
  /** The whole node goes. */
  readonly drain: () => Promise<void>;
  /** Others of this node go on. */
  readonly leave: () => Promise<void>;
};

/** What a drain takes behind its streams' window. */
const closingMsMax = 5000;
const streamsMaxDefault = 10_000;

export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, adminToken, store, metrics, log, relay, startDrain, restartWorkers, permits, connectionsMax, customise } = options;
  const clock = { ...systemClock, storeMs: store.storeMs };
  const key = config.signingKey ?? (await store.settle({ name: 'signing-key', candidate: randomBytes(32).toString('base64url') }));
  const counts = createCounts(laneNames);
  const phase: Phase = { draining: false, closing: false };
  const bus = createBus(relay);
  const plain: PlainDeps = {
    store,
    tokens: createTokens({ key, clock }),
    clock,
    counts,
    autoRegistration: config.autoRegistration,
    metrics,
    isDraining: () => phase.draining,
    isClosing: () => phase.closing,
    bus,
    streams: { ageMs: config.streamAgeMs, positionCheckMs: config.positionCheckMs, presenceTimeoutMs: config.presenceTimeoutMs },
    balancerIdleTimeoutMs: config.balancerIdleTimeoutMs,
    usageSpikeFactor: config.usageSpikeFactor,
    graphql: { depthMax: config.graphqlDepthMax, costMax: config.graphqlCostMax },
    streamsMax: connectionsMax ?? streamsMaxDefault,
    permits,
    vault: await vaultOf(config),
    webhooks: createWebhookKit(webhookSettingsOf(config)),
    admission: admissionOf(config),
    cors: corsSettingsOf(config),
    log,
  };
  const deps = withDefaults(customise?.(plain) ?? plain);
  const app = await buildApp(deps, readTls(options));
  const adminApp = await buildAdminApp({ ...deps, adminToken, startDrain, restartWorkers });
  const onTrouble = (error: unknown): void => log('error', `a listener: ${String(error)}`);
  const doors = createDoors({ connectionsMax, onTrouble });
  // The descriptors that no client gets are there for this one too.
  const adminDoors = createDoors({ connectionsMax: undefined, onTrouble });
  const addresses = await listenEverywhere({ config, app, adminApp, doors, adminDoors });
  const deliveries = startDeliveries({ store: deps.store, clock, poke: bus.poke, onTrouble: (error) => log('error', `deliveries: ${String(error)}`) });
  const webhookCounts = noWebhookCounts();
  const dispatcher = startWebhooks(deps, webhookCounts);
  const windowMs = Math.max(0, Math.min(config.drainWindowMs, config.drainTimeoutMs - closingMsMax));
  return {
    ...addresses,
    hear: bus.receive,
    hearWatch: bus.receiveWatch,
    hearWatches: bus.receiveWatches,
    deviceNews: deps.bus.tellDevices,
    snapshot: createSnapshots({
      store: deps.store,
      counts,
      webhooks: webhookCounts,
      app,
      connections: doors.connections,
      clock: watchClock({ clock, onStep: (text) => log('error', text) }),
    }),
    ...createEnding({ app, adminApp, doors: [doors, adminDoors], loops: [deliveries, dispatcher, ...startArchive(deps, config)], store, phase, windowMs }),
  };
}

function startArchive({ store, vault, clock, log }: AppDeps, config: Config): readonly Archiver[] {
  if (vault === undefined) return [];
  const onTrouble = (error: unknown): void => log('error', `the archive pauses: ${String(error)}`);
  return [startArchiver({ store, vault, clock, onTrouble, ...archiverSettings(config) })];
}

function startWebhooks({ store, clock, webhooks, log }: AppDeps, counts: WebhookCounts): Dispatcher {
  const given = { store, clock, ...webhooks };
  const onTrouble = (error: unknown): void => log('error', `webhooks pause: ${String(error)}`);
  return startDispatcher({ ...given, webhooks: createWebhooks(given), counts, onTrouble, random: Math.random });
}

function readTls({ config: { tlsCert, tlsKey }, ticketKeys }: WorkerOptions): TlsFiles | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return { cert: readFileSync(tlsCert), key: readFileSync(tlsKey), ...(ticketKeys === undefined ? {} : { ticketKeys }) };
}

type Listening = {
  readonly config: Config;
  readonly app: FastifyInstance;
  readonly adminApp: FastifyInstance;
  readonly doors: Doors;
  readonly adminDoors: Doors;
};

async function listenEverywhere({ config, app, adminApp, doors, adminDoors }: Listening): Promise<Addresses> {
  for (const each of [app, adminApp]) {
    await each.ready();
    // From here on Node's HTTP server watches its connections: which are late, which are idle. The listening itself is the doors'.
    each.server.emit('listening');
  }
  const { hosts, port, adminPort, proxyPort, proxyProtocol, proxyTrusted } = config;
  const [admin] = await adminDoors.open({ hosts: ['127.0.0.1'], port: adminPort, makeServer: () => doorTo(adminApp.server) });
  const entrances = await doors.open({ hosts, port, makeServer: () => doorTo(app.server, app.front) });
  const [proxied] =
    proxyProtocol === 'off'
      ? []
      : await doors.open({
          hosts,
          port: proxyPort,
          makeServer: () => createProxyListener({ version: proxyProtocol, trusted: proxyTrusted, front: app.front }),
        });
  if (admin === undefined) throw new Error('the admin listener has no address');
  return {
    urls: entrances.map((address) => urlOf(config.tlsCert === undefined ? 'http' : 'https', address)),
    adminUrl: urlOf('http', admin),
    proxyUrl: proxied && urlOf('http', proxied),
  };
}
