/** The reference service as a child process. It ends itself when its standard input closes, so even a killed harness leaves nothing behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type ServiceOptions = {
  readonly workers: number;
  /** Data folder. */
  readonly folder: string;
  /** Entry point from the repository's root; the real service without it. */
  readonly entry?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile?: string;
  /** Free ones without it. */
  readonly ports?: ServicePorts;
  /** Of the process and its workers; as the machine has it without this. */
  readonly descriptorsMax?: number;
  readonly startTimeoutMs?: number;
};

export type ServicePorts = { readonly port: number; readonly adminPort: number; readonly proxyPort: number };

export type Service = {
  readonly url: string;
  /** One a host that it listens on; `url` is the first. */
  readonly urls: readonly string[];
  readonly adminUrl: string;
  readonly adminToken: string;
  /** Of the listener with the PROXY protocol, where the settings ask for one. */
  readonly proxyUrl: string | undefined;
  readonly pid: number;
  readonly workerPids: () => readonly number[];
  readonly stderrTail: () => string;
  /** SIGTERM; resolves with the exit code when the process has ended. Kills it after the drain's own limit. */
  readonly stop: () => Promise<number | null>;
  /** SIGKILL to the supervisor; its workers end with it. */
  readonly kill: () => void;
  readonly exited: Promise<number | null>;
};

/** It did not come up: `code` is what it ended with, null where it was killed or never began. */
export class ServiceStartError extends Error {
  override readonly name = 'ServiceStartError';
  readonly code: number | null;
  readonly lastWords: readonly string[];
  constructor(what: string, code: number | null, lastWords: readonly string[]) {
    super(`the service ${what}${lastWords.length === 0 ? '' : `; it said:\n${lastWords.join('\n')}`}`);
    this.code = code;
    this.lastWords = lastWords;
  }
}

type Ready = {
  readonly ready: true;
  readonly url: string;
  readonly urls?: readonly string[];
  readonly admin_url: string;
  readonly admin_token: string;
  readonly proxy_url?: string;
  readonly pid: number;
  readonly workers: readonly number[];
};

const root = fileURLToPath(new URL('../../', import.meta.url));
const tailLinesMax = 100;
const stopTimeoutMs = 40_000;
/** A process that ends before is seen at once: this is for one that hangs, on a machine that is slow and busy too. */
const startTimeoutMsDefault = 120_000;

const anyPorts: ServicePorts = { port: 0, adminPort: 0, proxyPort: 0 };

/** Rejects with a ServiceStartError, the service's own last words in it, where it does not come up. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { port, adminPort, proxyPort } = options.ports ?? anyPorts;
  const args = [
    options.entry ?? 'system/main.ts',
    ...(options.args ?? []),
    `--port=${port}`,
    `--admin-port=${adminPort}`,
    `--proxy-port=${proxyPort}`,
    `--workers=${options.workers}`,
    `--data=${options.folder}`,
    '--exit-with-parent',
  ];
  const { descriptorsMax } = options;
  const command = descriptorsMax === undefined ? [] : ['prlimit', `--nofile=${descriptorsMax}:${descriptorsMax}`];
  const [program, ...rest] = [...command, process.execPath, ...args] as [string, ...string[]];
  // Detached, since Ctrl-C reaches a whole group: what was measured until then is still read back from it.
  const child = spawn(program, rest, { cwd: root, env: { ...process.env, ...options.env }, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const tail: string[] = [];
  const log = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a' });
  createInterface({ input: child.stderr }).on('line', (line) => {
    log?.write(`${line}\n`);
    tail.push(line);
    if (tail.length > tailLinesMax) tail.shift();
  });
  let workers: readonly number[] = [];
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  void exited.then(() => log?.end());
  const ready = await waitForReady({ child, exited, timeoutMs: options.startTimeoutMs ?? startTimeoutMsDefault, tail, onWorkers: (pids) => (workers = pids) });
  workers = ready.workers;
  return {
    url: ready.url,
    urls: ready.urls ?? [ready.url],
    adminUrl: ready.admin_url,
    adminToken: ready.admin_token,
    proxyUrl: ready.proxy_url,
    pid: child.pid as number,
    workerPids: () => workers,
    stderrTail: () => tail.join('\n'),
    stop: () => stopChild(child, exited),
    kill: () => child.kill('SIGKILL'),
    exited,
  };
}

type Waiting = {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly timeoutMs: number;
  readonly tail: readonly string[];
  readonly onWorkers: (pids: readonly number[]) => void;
};

function waitForReady({ child, exited, timeoutMs, tail, onWorkers }: Waiting): Promise<Ready> {
  return new Promise<Ready>((resolve, reject) => {
    const fail = (what: string, code: number | null = null) => reject(new ServiceStartError(what, code, tail));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`was not ready within ${timeoutMs / 1000} s`);
    }, timeoutMs);
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = parseLine(line);
      if (message === undefined) return;
      if (message.ready === true) {
        clearTimeout(timer);
        resolve(message as Ready);
      } else if (Array.isArray(message.workers)) onWorkers(message.workers as number[]);
    });
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    void exited.then((code) => {
      clearTimeout(timer);
      fail(`ended with code ${code} before it was ready`, code);
    });
  });
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

async function stopChild(child: ChildProcess, exited: Promise<number | null>): Promise<number | null> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  const code = await exited;
  clearTimeout(timer);
  return code;
}
