/** A real HAProxy as a child process, with a configuration of ours. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { requirePart } from '#harness/parts/find.ts';
import { freePorts } from './free-ports.ts';
import { type HaproxySettings, haproxyConfig } from './haproxy-config.ts';
import type { FromKeeper, KeeperOptions } from './haproxy-keeper.ts';
import { endProcess } from './processes.ts';

export type HaproxyOptions = Omit<HaproxySettings, 'port' | 'adminSocket'> & {
  /** For its configuration. */
  readonly folder: string;
  /** The access log, and what it says of its nodes. */
  readonly logFile: string;
};

export type ServerState = 'ready' | 'drain' | 'maint';

export type Haproxy = {
  readonly url: string;
  readonly pid: number;
  readonly version: string;
  readonly config: string;
  /** `drain`: nothing new, what is there goes on. `maint`: its connections are ended too. */
  readonly setState: (server: string, state: ServerState) => Promise<void>;
  /** Ends every connection, both sides by FIN: HAProxy has no other way. */
  readonly dropAll: () => Promise<void>;
  /** By server: what HAProxy thinks of it, as `UP`, `DOWN`, `DRAIN`. */
  readonly states: () => Promise<Readonly<Record<string, string>>>;
  readonly stop: () => Promise<void>;
  readonly kill: () => void;
};

/** For one that hangs, on a machine that is slow and busy too. */
const startTimeoutMs = 60_000;
const stopTimeoutMs = 5000;
const pollMs = 20;

export async function startHaproxy(options: HaproxyOptions): Promise<Haproxy> {
  const program = requirePart('haproxy');
  const [port] = (await freePorts(1)) as [number];
  // Not in the folder: the path of a socket has at most 107 bytes.
  const socketFolder = mkdtempSync(join(tmpdir(), 'headroom-haproxy-'));
  const adminSocket = join(socketFolder, 'admin.sock');
  const configFile = join(options.folder, 'haproxy.cfg');
  const config = haproxyConfig({ ...options, port, adminSocket });
  mkdirSync(options.folder, { recursive: true });
  writeFileSync(configFile, config);
  const clean = (): void => rmSync(socketFolder, { recursive: true, force: true });
  const checked = spawnSync(program, ['-c', '-f', configFile], { encoding: 'utf8' });
  if (checked.status !== 0) {
    clean();
    throw new Error(`haproxy does not accept ${configFile}:\n${checked.stderr}`);
  }
  const kept = startKeeper({ program, configFile, logFile: options.logFile });
  const ask = (command: string): Promise<string> => askAdmin(adminSocket, command);
  const states = async (): Promise<Readonly<Record<string, string>>> => statesOf(await ask('show stat'));
  const stop = async (): Promise<void> => {
    await kept.stop();
    clean();
  };
  await ready(kept, async () => Object.values(await states()).some((state) => state.startsWith('UP'))).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const endSessions = (server: string): Promise<string> => ask(`shutdown sessions server nodes/${server}`);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: kept.pid() as number,
    version: versionOf(program),
    config,
    states,
    dropAll: async () => void (await Promise.all(options.targets.map(({ name }) => endSessions(name)))),
    setState: async (server, state) => {
      const said = (await ask(`set server nodes/${server} state ${state}`)).trim();
      if (said !== '') throw new Error(`haproxy: ${said}`);
      if (state === 'maint') await endSessions(server);
    },
    stop,
    kill: () => {
      kept.kill();
      clean();
    },
  };
}

type Kept = {
  /** Of HAProxy while it runs. */
  readonly pid: () => number | undefined;
  readonly lastWords: () => readonly string[] | undefined;
  readonly stop: () => Promise<void>;
  readonly kill: () => void;
};

function startKeeper(options: KeeperOptions): Kept {
  const child: ChildProcess = fork(fileURLToPath(new URL('./haproxy-keeper.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let pid: number | undefined;
  let lastWords: readonly string[] | undefined;
  child.on('message', (message: FromKeeper) => {
    pid = message.kind === 'started' ? message.pid : undefined;
    if (message.kind === 'ended') lastWords = message.lastWords;
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = (): void => {
    if (pid !== undefined) endProcess(pid);
    pid = undefined;
    child.kill('SIGKILL');
  };
  return {
    pid: () => pid,
    lastWords: () => lastWords,
    stop: async () => {
      if (child.connected) child.disconnect();
      const timer = setTimeout(kill, stopTimeoutMs);
      await ended;
      pid = undefined;
      clearTimeout(timer);
    },
    kill,
  };
}

const versionOf = (program: string): string => /version ([\d.]+)/.exec(spawnSync(program, ['-v'], { encoding: 'utf8' }).stdout)?.[1] ?? 'unknown';

function askAdmin(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connect(path, () => socket.write(`${command}\n`));
    socket
      .on('data', (bytes) => {
        said += bytes.toString();
      })
      .on('error', reject)
      .on('end', () => resolve(said));
  });
}

/** Of `show stat`: CSV with a header that begins with "# ". */
function statesOf(csv: string): Readonly<Record<string, string>> {
  const [header = '', ...rows] = csv.replace(/^# /, '').trim().split('\n');
  const columns = header.split(',');
  const [proxy, server, status] = ['pxname', 'svname', 'status'].map((name) => columns.indexOf(name)) as [number, number, number];
  const servers = rows.map((row) => row.split(',')).filter((row) => row[proxy] === 'nodes' && row[server] !== 'BACKEND');
  return Object.fromEntries(servers.map((row) => [row[server] as string, row[status] as string]));
}

async function ready(kept: Kept, isReady: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + startTimeoutMs;
  while (performance.now() < endMs && kept.lastWords() === undefined) {
    if (kept.pid() !== undefined && (await isReady().catch(() => false))) return;
    await sleep(pollMs);
  }
  throw new Error(
    kept.lastWords() === undefined
      ? `haproxy had no healthy node within ${startTimeoutMs / 1000} s`
      : `haproxy ended before it was ready; it said:\n${kept.lastWords()?.join('\n')}`,
  );
}
