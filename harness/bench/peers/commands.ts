/** Peers that are programs of their own, used where they are on PATH. Each is told the same rate, body and connections, and read as it reports. */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { readChildrenCpuMicros } from '#harness/metrics/proc.ts';
import { body, noQuantiles, type Peer, type PeerLoad, path, type Quantiles, token } from './peer.ts';

type Command = {
  readonly name: string;
  readonly program: string;
  /** Arguments after the files it needs were written into `folder`. */
  readonly args: (load: PeerLoad, folder: string) => readonly string[];
  /** From its standard output and the files it wrote; a second program may have to be asked. */
  readonly read: (stdout: string, folder: string, program: string) => Quantiles | Promise<Quantiles>;
};

const urlOf = ({ host, port }: PeerLoad): string => `http://${host}:${port}${path}`;
const authorization = `authorization: Bearer ${token}`;
const contentType = 'content-type: application/json';

/** `12.34ms`, `980us`, `1.2s` in milliseconds. */
export function durationMs(text: string): number | null {
  const match = /^([\d.]+)(us|µs|ms|s|m)$/.exec(text.trim());
  const unit = match === null ? undefined : { us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000 }[match[2] as 'us' | 'µs' | 'ms' | 's' | 'm'];
  return match === null || unit === undefined ? null : Number(match[1]) * unit;
}

/** wrk2 prints its HDR distribution as `50.000%    1.23ms`. */
export function wrk2Quantiles(text: string): Quantiles {
  const at = (percent: string): number | null => durationMs(new RegExp(`^ *${percent}% +(\\S+)$`, 'm').exec(text)?.[1] ?? '');
  return { p50: at('50.000'), p90: at('90.000'), p99: at('99.000') };
}

const inSeconds = (value: number | undefined): number | null => (value === undefined ? null : value * 1000);

const commands: readonly Command[] = [
  {
    name: 'wrk2',
    program: 'wrk2',
    args: (load, folder) => {
      const script = join(folder, 'post.lua');
      const lua = `wrk.method = "POST"\nwrk.body = [==[${body}]==]\nwrk.headers["Authorization"] = "Bearer ${token}"\nwrk.headers["Content-Type"] = "application/json"\n`;
      writeFileSync(script, lua);
      return ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, `-R${load.ratePerSecond}`, '--latency', '-s', script, urlOf(load)];
    },
    read: (stdout) => wrk2Quantiles(stdout),
  },
  {
    name: 'h2load',
    program: 'h2load',
    args: (load, folder) => {
      const data = join(folder, 'body.json');
      writeFileSync(data, body);
      // A rate is by connection and whole, so the number of connections is one that divides it.
      const connections = divisorNear(load.ratePerSecond, load.connections);
      const rate = `--rps=${load.ratePerSecond / connections}`;
      return ['--h1', '-t1', `-c${connections}`, `-D${load.seconds}`, rate, `-d${data}`, '-H', authorization, '-H', contentType, urlOf(load)];
    },
    // Debian's prints no quantiles, only minimum, maximum and mean.
    read: () => noQuantiles,
  },
  {
    name: 'oha',
    program: 'oha',
    args: (load) => {
      const how = ['--no-tui', '--output-format', 'json', '-z', `${load.seconds}s`, '-q', String(load.ratePerSecond), '-c', String(load.connections)];
      return [...how, '-m', 'POST', '-H', authorization, '-H', contentType, '-d', body, urlOf(load)];
    },
    read: (stdout) => {
      const { latencyPercentiles: at } = JSON.parse(stdout) as { latencyPercentiles: Record<string, number> };
      return { p50: inSeconds(at.p50), p90: inSeconds(at.p90), p99: inSeconds(at.p99) };
    },
  },
  {
    name: 'vegeta',
    program: 'vegeta',
    args: (load, folder) => {
      writeFileSync(join(folder, 'body.json'), body);
      writeFileSync(join(folder, 'targets'), `POST ${urlOf(load)}\n`);
      const output = [`-targets=${join(folder, 'targets')}`, `-body=${join(folder, 'body.json')}`, `-output=${join(folder, 'results')}`];
      const rate = [`-rate=${load.ratePerSecond}`, `-duration=${load.seconds}s`, `-connections=${load.connections}`];
      return ['attack', ...output, ...rate, '-header', authorization, '-header', contentType];
    },
    read: async (_, folder, program) => {
      const { stdout } = await finished(program, ['report', '-type=json', join(folder, 'results')]);
      const { latencies } = JSON.parse(stdout) as { latencies: Record<string, number> };
      const millis = (name: string): number | null => (latencies[name] === undefined ? null : latencies[name] / 1e6);
      return { p50: millis('50th'), p90: millis('90th'), p99: millis('99th') };
    },
  },
  {
    name: 'k6',
    program: 'k6',
    args: (load, folder) => {
      const script = join(folder, 'script.js');
      writeFileSync(script, k6Script(load, join(folder, 'summary.json')));
      return ['run', '--quiet', '--no-usage-report', '--no-color', script];
    },
    read: (_, folder) => {
      const { med, 'p(90)': p90, 'p(99)': p99 } = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')) as Record<string, number>;
      return { p50: med ?? null, p90: p90 ?? null, p99: p99 ?? null };
    },
  },
];

function divisorNear(rate: number, wanted: number): number {
  for (let by = wanted; by > 1; by--) if (rate % by === 0) return by;
  return 1;
}

const k6Script = (load: PeerLoad, summary: string): string => `import http from 'k6/http';
export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ['med', 'p(90)', 'p(99)'],
  scenarios: { load: { executor: 'constant-arrival-rate', rate: ${load.ratePerSecond}, timeUnit: '1s', duration: '${load.seconds}s', preAllocatedVUs: ${load.connections}, maxVUs: ${load.connections * 4} } },
};
const params = { headers: { authorization: 'Bearer ${token}', 'content-type': 'application/json' } };
const body = ${JSON.stringify(body)};
export default () => { http.post('${urlOf(load)}', body, params); };
export const handleSummary = (data) => ({ ${JSON.stringify(summary)}: JSON.stringify(data.metrics.http_req_duration.values) });
`;

export function onPath(program: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    // npm's own folders hold a dummy that is called k6.
    if (folder.includes('node_modules')) continue;
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // Not there: the next folder.
    }
  }
  return undefined;
}

type Finished = { readonly stdout: string; readonly cpuMicros: number };

export function finished(program: string, args: readonly string[], signal?: AbortSignal): Promise<Finished> {
  const before = readChildrenCpuMicros() ?? Number.NaN;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(signal === undefined ? {} : { signal }) });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk).slice(-2000);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve({ stdout, cpuMicros: (readChildrenCpuMicros() ?? Number.NaN) - before });
      else reject(new Error(`${program} ended with code ${code}: ${stderr.trim()}`));
    });
  });
}

export const commandPeers: readonly Peer[] = commands.map((command) => ({
  name: command.name,
  find: () => onPath(command.program),
  run: async (load, target, signal) => {
    const program = onPath(command.program);
    if (program === undefined) throw new Error(`${command.program} is not on PATH`);
    const folder = mkdtempSync(join(tmpdir(), 'headroom-peer-'));
    try {
      const args = command.args(load, folder);
      target.reset();
      const { stdout, cpuMicros } = await finished(program, args, signal);
      const { requests } = await target.report();
      return { cpuMicrosPerRequest: cpuMicros / requests, latencyMs: await command.read(stdout, folder, program) };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
}));
