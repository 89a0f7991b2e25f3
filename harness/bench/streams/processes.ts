/** The processes of a stream bench: the service or its bare peer, and those who listen. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { parsePrometheusText } from '#harness/metrics/prometheus-text.ts';
import { authorizeUser, createAccount } from '#harness/topology/accounts.ts';
import { startService } from '#harness/topology/service-process.ts';

export type Holder = {
  readonly name: 'service' | 'bare node:http';
  readonly pid: number;
  readonly port: number;
  readonly request: string;
  /** Header of who may listen; empty where nobody asks. */
  readonly authorization: string;
  /** One change to everybody. Resolves when it was handed over, not when it arrived. */
  readonly tell: () => Promise<void>;
  /** The longest since it was last asked, in milliseconds. */
  readonly loopDelayMaxMs: () => Promise<number>;
  readonly stop: () => Promise<void>;
};

type Said = { readonly kind: string; readonly [name: string]: unknown };

function hear(child: ChildProcess, kind: string): Promise<Said> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: Said): void => {
      if (message.kind !== kind && message.kind !== 'failed') return;
      child.off('message', onMessage).off('exit', onExit);
      if (message.kind === 'failed') reject(new Error(String(message.text)));
      else resolve(message);
    };
    const onExit = (): void => reject(new Error(`a process of the bench ended before it said ${kind}`));
    child.on('message', onMessage).once('exit', onExit);
  });
}

const forkOf = (file: string): ChildProcess =>
  fork(fileURLToPath(new URL(file, import.meta.url)), [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await ended;
}

/** About as long as the frames that it is compared with. */
const bareLine = `{"t":"put","ch":"sync:bench","k":"item","ver":17,"c":"${'0'.repeat(47)}","ts":"2026-11-24T12:00:00.000Z","d":{"note":"${'x'.repeat(64)}"}}\n`;

export async function startBare(): Promise<Holder> {
  const child = forkOf('./bare-http.ts');
  const { port } = await hear(child, 'listening');
  return {
    name: 'bare node:http',
    pid: child.pid as number,
    port: port as number,
    request: 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    authorization: '',
    tell: async () => void child.send({ kind: 'broadcast', line: bareLine }),
    loopDelayMaxMs: async () => {
      child.send({ kind: 'delay' });
      return (await hear(child, 'delay')).maxMs as number;
    },
    stop: () => stopped(child),
  };
}

export async function startHolder(): Promise<Holder> {
  const folder = await mkdtemp(join(tmpdir(), 'headroom-bench-'));
  const service = await startService({ workers: 1, folder, env: { HEADROOM_DRAIN_WINDOW_MS: '0' } });
  const account = await createAccount(service.adminUrl, service.adminToken, 'bench');
  const authorization = await authorizeUser(service.url, account, 'u');
  return {
    name: 'service',
    pid: service.workerPids()[0] as number,
    port: Number(new URL(service.url).port),
    authorization,
    request: `GET /v1/stream?ch=sync:bench HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
    tell: async () => {
      const answer = await request(`${service.url}/v1/sync/bench/item`, {
        method: 'PUT',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ note: 'x'.repeat(64) }),
      });
      await answer.body.dump();
      if (answer.statusCode >= 300) throw new Error(`the service answered ${answer.statusCode} to a change`);
    },
    loopDelayMaxMs: async () => {
      const values = parsePrometheusText(await (await request(`${service.url}/metrics`)).body.text());
      return 1000 * Math.max(...Object.entries(values).flatMap(([name, value]) => (name.startsWith('headroom_event_loop_delay_seconds') ? [value] : [])));
    },
    stop: async () => {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type Subscribers = {
  readonly pid: number;
  readonly open: (holder: Holder, count: number) => Promise<void>;
  /** Waits until so many frames came since the start; throws where they do not. */
  readonly received: (frames: number) => Promise<void>;
  readonly count: () => Promise<{ readonly frames: number; readonly cut: number }>;
  readonly stop: () => Promise<void>;
};

const receivedWithinMs = 60_000;
const pollMs = 5;

export function startSubscribers(): Subscribers {
  const child = forkOf('./subscribers.ts');
  const count: Subscribers['count'] = async () => {
    child.send({ kind: 'count' });
    return (await hear(child, 'count')) as unknown as { frames: number; cut: number };
  };
  return {
    pid: child.pid as number,
    open: async ({ port, request: text }, total) => {
      child.send({ kind: 'open', port, count: total, request: text });
      await hear(child, 'opened');
    },
    received: async (frames) => {
      const endMs = performance.now() + receivedWithinMs;
      for (;;) {
        const now = await count();
        if (now.frames >= frames) return;
        if (now.cut > 0 || performance.now() > endMs) throw new Error(`${now.frames} of ${frames} frames came, ${now.cut} streams were cut`);
        await sleep(pollMs);
      }
    },
    count,
    stop: () => stopped(child),
  };
}
