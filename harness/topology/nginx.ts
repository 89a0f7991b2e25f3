/** A real nginx as a child process, with a configuration of ours: one that streams are to survive as people have it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { requirePart } from '#harness/parts/find.ts';
import { freePorts } from './free-ports.ts';

export type NginxOptions = {
  /** The service's. */
  readonly targetUrl: string;
  /** Directives of the one location beside `proxy_pass`, without semicolons; none: as it comes. */
  readonly directives: readonly string[];
  /** For its configuration, and all that it writes. */
  readonly folder: string;
};

export type Nginx = { readonly url: string; readonly stop: () => Promise<void> };

/** For one that hangs, on a machine that is slow and busy too. */
const startTimeoutMs = 60_000;
const pollMs = 20;

export async function startNginx({ targetUrl, directives, folder }: NginxOptions): Promise<Nginx> {
  const program = requirePart('nginx');
  const [port] = (await freePorts(1)) as [number];
  mkdirSync(folder, { recursive: true });
  const configFile = join(folder, 'nginx.conf');
  writeFileSync(configFile, nginxConfig({ targetUrl, directives, folder, port }));
  const child = spawn(program, ['-p', folder, '-e', 'stderr', '-c', configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    process.off('exit', end);
    if (isGone(child)) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  try {
    const endMs = performance.now() + startTimeoutMs;
    while (!(await answers(url))) {
      if (isGone(child) || performance.now() > endMs) throw new Error(`nginx does not pass on to ${targetUrl}: ${said}`);
      await sleep(pollMs);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

const isGone = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

const answers = async (url: string): Promise<boolean> => {
  try {
    const { statusCode, body } = await request(`${url}/healthz`);
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
};

type ConfigOptions = NginxOptions & { readonly port: number };

/** In one process, so that nothing is left when it ends. */
const nginxConfig = ({ targetUrl, directives, folder, port }: ConfigOptions): string => `daemon off;
master_process off;
pid ${join(folder, 'nginx.pid')};
error_log stderr;
events {}
http {
  access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${join(folder, name)};`).join('\n')}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${targetUrl};
${directives.map((directive) => `      ${directive};`).join('\n')}
    }
  }
}
`;
