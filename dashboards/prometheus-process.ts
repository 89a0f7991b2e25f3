/** A real Prometheus for a test: our configuration, but for where the service is and how often it is asked. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { parse, stringify } from 'yaml';

export type Prometheus = {
  /** The `data` of an answer; rejects with what Prometheus says where the question is wrong. */
  readonly ask: (path: string, parameters: Readonly<Record<string, string>>) => Promise<unknown>;
  readonly stop: () => Promise<void>;
};

export type PrometheusOptions = { readonly program: string; readonly port: number; readonly target: string; readonly everySeconds: number };

type Configuration = { global: Record<string, string>; rule_files: string[]; scrape_configs: { static_configs: { targets: string[] }[] }[] };

/** Its standard input closes with us, however we end, and it ends with that. */
const endingWithUs = '"$0" "$@" & cat; kill $!; wait $!';

const here = join(import.meta.dirname, 'prometheus');

export async function startPrometheus({ program, port, target, everySeconds }: PrometheusOptions): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-prometheus-'));
  const configFile = join(folder, 'prometheus.yml');
  writeFileSync(configFile, stringify(aimed(`${everySeconds}s`, target)));
  const address = `127.0.0.1:${port}`;
  const args = [`--config.file=${configFile}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${address}`, '--log.level=warn'];
  const child = spawn('sh', ['-c', endingWithUs, program, ...args], { stdio: ['pipe', 'ignore', 'ignore'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    ask: (path, parameters) => ask(`http://${address}/api/v1/${path}?${new URLSearchParams(parameters)}`),
    stop: async () => {
      child.stdin.end();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function aimed(every: string, target: string): Configuration {
  const config = parse(readFileSync(join(here, 'prometheus.yml'), 'utf8')) as Configuration;
  for (const { static_configs } of config.scrape_configs) for (const one of static_configs) one.targets = [target];
  const rule_files = config.rule_files.map((file) => join(here, file));
  return { ...config, rule_files, global: { scrape_interval: every, evaluation_interval: every } };
}

async function ask(url: string): Promise<unknown> {
  const answer = await request(url);
  const { status, data, error } = (await answer.body.json()) as { status: string; data?: unknown; error?: string };
  if (status !== 'success') throw new Error(`${url}: ${error}`);
  return data;
}
