/** The parent process. */
import cluster from 'node:cluster';
import type { RestartOutcome } from '#system/routes-admin.ts';
import { createPermitLedger } from '#system/stream/permits.ts';
import { createPrinter } from '#system/telemetry/prometheus.ts';
import { type Crew, createCrew, type Member } from './crew.ts';
import { createGatherer } from './gather.ts';
import type { ToSupervisor } from './messages.ts';
import { roll } from './roll.ts';
import { createWatches } from './watches.ts';
import type { Addresses } from './worker.ts';

export type SupervisorOptions = {
  readonly workers: number;
  readonly drainTimeoutMs: number;
  /** Environment that workers need beside the parent's own. */
  readonly workerEnvironment: Readonly<Record<string, string>>;
  readonly onReady: (info: Addresses & { readonly workers: readonly number[] }) => void;
  readonly onWorkers: (pids: readonly number[]) => void;
  readonly log: (level: 'info' | 'error', text: string) => void;
};

export type Supervisor = {
  readonly drain: () => void;
  /** Replaces all workers, one after the other. */
  readonly restart: () => RestartOutcome;
  /** Resolves with the exit code once every worker has ended. */
  readonly ended: Promise<number>;
};

const respawnPauseMsMin = 100;
const respawnPauseMsMax = 5000;
const healthyAfterMs = 10_000;

export function supervise(options: SupervisorOptions): Supervisor {
  const { log, onReady, onWorkers, drainTimeoutMs } = options;
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  let isReady = false;
  let draining = false;
  let rolling = false;
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const crew = createCrew({
    environment: options.workerEnvironment,
    hear: (member, message) => {
      if (message.kind === 'listening') onListening(member, message.addresses);
      else if (message.kind === 'failed') {
        log('error', message.text);
        if (!isReady) end(1);
      } else hear(member, message);
    },
    onEnded: (member, reason) => {
      forget(member);
      // One that went as it was told to had told all that it knew.
      if (!draining && !(member.state === 'leaving' && reason === '0')) crew.passOn(member.worker, { kind: 'news', news: { kind: 'lost' } });
      if (draining) {
        if (crew.members().length === 0) end(0);
      } else if (!isReady) end(1);
      else if (member.state === 'leaving') onWorkers(crew.pids());
      else refill(member, reason);
    },
  });
  const onListening = ({ worker }: Member, addresses: Addresses): void => {
    greet(worker);
    // It was told before it could hear.
    if (draining) crew.send(worker, { kind: 'drain' });
    if (isReady) onWorkers(crew.pids());
    else if (crew.members().every(({ state }) => state === 'listening')) {
      isReady = true;
      onReady({ ...addresses, workers: crew.pids() });
    }
  };
  const drain = (): void => {
    if (draining) return;
    draining = true;
    if (crew.members().length === 0) end(0);
    for (const worker of crew.live()) crew.send(worker, { kind: 'drain' });
    setTimeout(() => {
      log('error', `the drain took longer than ${drainTimeoutMs} ms; what is left is ended`);
      for (const worker of crew.live()) worker.process.kill('SIGKILL');
      end(1);
    }, drainTimeoutMs).unref();
  };
  const restart = (): RestartOutcome => {
    if (draining) return 'draining';
    if (rolling || !isReady) return 'running';
    rolling = true;
    void roll({ crew, size: options.workers, drainTimeoutMs, log, isDraining: () => draining }).finally(() => {
      rolling = false;
    });
    return 'started';
  };
  const { hear, forget, greet } = createSwitchboard({ crew, drain, restart });
  const refill = createRefill({ crew, log, wanted: () => (draining ? 0 : options.workers) });
  for (let i = 0; i < options.workers; i++) crew.start();
  return { ended, drain, restart };
}

type Refilling = { readonly crew: Crew; readonly wanted: () => number; readonly log: SupervisorOptions['log'] };

/** Another worker for one that ended, after a pause that grows while they do not live. */
function createRefill({ crew, wanted, log }: Refilling): (member: Member, reason: string) => void {
  let pauseMs = respawnPauseMsMin;
  return ({ worker, bornMs }, reason) => {
    const { pid } = worker.process;
    if (crew.standing() >= wanted()) return log('error', `worker ${pid} ended (${reason}); there are enough without it`);
    log('error', `worker ${pid} ended (${reason}); another one is started`);
    pauseMs = performance.now() - bornMs > healthyAfterMs ? respawnPauseMsMin : Math.min(pauseMs * 2, respawnPauseMsMax);
    setTimeout(() => crew.standing() < wanted() && crew.start(), pauseMs);
  };
}

type Talking = { readonly crew: Crew; readonly drain: () => void; readonly restart: () => RestartOutcome };
type Talk = Exclude<ToSupervisor, { readonly kind: 'listening' | 'failed' }>;

/** What workers ask, and what goes from one to the others. */
function createSwitchboard({ crew, drain, restart }: Talking) {
  const printer = createPrinter();
  const watches = createWatches(crew);
  const permits = createPermitLedger();
  const gatherer = createGatherer(crew);
  const print = async (): Promise<string> => {
    const { present, past } = await gatherer.gather();
    return printer.print(present, past);
  };
  return {
    greet: watches.greet,
    forget: ({ worker }: Member): void => {
      watches.ended(worker);
      gatherer.ended(worker);
      permits.giveAllBack(worker.id);
    },
    hear: ({ worker }: Member, message: Talk): void => {
      if (message.kind === 'snapshot') gatherer.answered(worker, message.id, message.snapshot);
      else if (message.kind === 'last-snapshot') gatherer.said(worker, message.snapshot);
      else if (message.kind === 'news') crew.passOn(worker, message);
      else if (message.kind === 'watch') watches.ask(worker, message);
      else if (message.kind === 'watch-known') watches.known(worker, message);
      else if (message.kind === 'permits-wanted')
        crew.send(worker, { kind: 'permits', id: message.id, granted: message.wanted.map((wanted) => permits.take(worker.id, wanted)) });
      else if (message.kind === 'permits-back') for (const account of message.accounts) permits.giveBack(worker.id, account);
      else if (message.kind === 'drain-wanted') drain();
      else if (message.kind === 'restart-wanted') crew.send(worker, { kind: 'restart', id: message.id, outcome: restart() });
      else void print().then((text) => crew.send(worker, { kind: 'metrics', id: message.id, text }));
    },
  };
}
