/** A real HAProxy as a child process, with a configuration of ours. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { requirePart } from '#harness/parts/find.ts';
import { type HaproxySettings, haproxyConfig } from './haproxy-config.ts';

export type HaproxyOptions = Omit<HaproxySettings, 'port' | 'adminSocket'> & {
  /** For its configuration and admin socket. */
  readonly folder: string;
  /** A line of its log: the access log, and what it says of its nodes. */
  readonly onLog?: (line: string) => void;
};

export type ServerState = 'ready' | 'drain' | 'maint';

export type Haproxy = {
  readonly url: string;
  readonly pid: number;
  readonly config: string;
  /** `drain`: nothing new, what is there goes on. `maint`: its connections are ended too. */
  readonly setState: (server: string, state: ServerState) => Promise<void>;
  /** By server: what HAProxy thinks of it, as `UP`, `DOWN`, `DRAIN`. */
  readonly states: () => Promise<Readonly<Record<string, string>>>;
  readonly stop: () => Promise<void>;
};

const startTimeoutMs = 5000;
const pollMs = 20;
const tailLinesMax = 20;

export async function startHaproxy(options: HaproxyOptions): Promise<Haproxy> {
  const program = requirePart('haproxy');
  mkdirSync(options.folder, { recursive: true });
  const port = await freePort();
  const adminSocket = join(options.folder, 'haproxy.sock');
  const file = join(options.folder, 'haproxy.cfg');
  const config = haproxyConfig({ ...options, port, adminSocket });
  writeFileSync(file, config);
  const checked = spawnSync(program, ['-c', '-f', file], { encoding: 'utf8' });
  if (checked.status !== 0) throw new Error(`haproxy does not accept ${file}:\n${checked.stderr}`);
  // In the foreground, so that it is our child and ends with our signal.
  const child = spawn(program, ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const tail: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      tail.push(line);
      if (tail.length > tailLinesMax) tail.shift();
      options.onLog?.(line);
    });
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ask = (command: string): Promise<string> => askAdmin(adminSocket, command);
  const states = async (): Promise<Readonly<Record<string, string>>> => statesOf(await ask('show stat'));
  await ready(child, tail, async () => Object.values(await states()).some((state) => state.startsWith('UP')));
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid as number,
    config,
    states,
    setState: async (server, state) => {
      const said = (await ask(`set server nodes/${server} state ${state}`)).trim();
      if (said !== '') throw new Error(`haproxy: ${said}`);
      if (state === 'maint') await ask(`shutdown sessions server nodes/${server}`);
    },
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** HAProxy takes no port 0. Between this and its start somebody else may take the port: then it does not start, and says so. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

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

async function ready(child: ChildProcess, tail: readonly string[], isReady: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + startTimeoutMs;
  while (performance.now() < endMs && child.exitCode === null) {
    if (await isReady().catch(() => false)) return;
    await sleep(pollMs);
  }
  child.kill('SIGKILL');
  throw new Error(`haproxy had no healthy node within ${startTimeoutMs / 1000} s; it said:\n${tail.join('\n')}`);
}
