/**
 * What it costs the service to say no. One worker, one generator in a closed loop: CPU of the worker a request, for registrations that change something, identical ones, those over a device's quota (refused behind
 * the routes) and those of a shed lane (refused before them: a twin sheds registrations whole, without the wait that holds a storm back).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { median } from '#harness/metrics/growth.ts';
import { readProcess } from '#harness/metrics/proc.ts';
import { createAccount } from '#harness/topology/accounts.ts';
import { publishableAuthorization } from '#harness/topology/provision.ts';
import { startService } from '#harness/topology/service-process.ts';
import { atMost, type Bench, round } from './bench.ts';

const kinds = ['changed', 'identical', 'over_quota', 'shed'] as const;
type Kind = (typeof kinds)[number];

const connections = 64;
const warmSeconds = 2;
const status: Readonly<Record<Kind, number>> = { changed: 201, identical: 200, over_quota: 429, shed: 503 };
const json = 'application/json';

async function measure(kind: Kind, seconds: number): Promise<{ readonly micros: number; readonly others: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'headroom-bench-'));
  const twin = kind === 'shed' ? { entry: 'system/twins/main.ts', args: ['sheds-registrations'] } : {};
  const service = await startService({ workers: 1, folder, ...twin, env: { HEADROOM_SHED_DELAY_MS: '60000' } });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'bench');
    const headers = { authorization: publishableAuthorization(account), 'content-type': json };
    const put = (device: string, body: object) => fetch(`${service.url}/v1/devices/${device}`, { method: 'PUT', headers, body: JSON.stringify(body) });
    const registration = { platform: 'android', app_version: '7.4.1' };
    const { device_secret } = kind === 'shed' ? { device_secret: 'x' } : ((await (await put('one', registration)).json()) as { device_secret: string });
    if (kind === 'over_quota') for (const name of ['a', 'b']) await put('one', { ...registration, device_secret, name });
    // Each another device, and with each another body: what differs is what is asked for.
    const path = kind === 'changed' ? '/v1/devices/[<id>]' : '/v1/devices/one';
    const body = JSON.stringify(
      kind === 'changed' ? registration : { ...registration, device_secret, ...(kind === 'over_quota' ? { name: 'c' } : { name: undefined }) },
    );
    const drive = (duration: number) =>
      autocannon({ url: service.url, connections, duration, idReplacement: kind === 'changed', requests: [{ method: 'PUT', path, headers, body }] });
    await drive(warmSeconds);
    const cpu = (): number => service.workerPids().reduce((sum, pid) => sum + (readProcess(pid).cpuMicros ?? Number.NaN), 0);
    const before = cpu();
    const { statusCodeStats = {} } = (await drive(seconds)) as { statusCodeStats?: Record<string, { count: number }> };
    const counts = Object.values(statusCodeStats).map(({ count }) => count);
    const all = counts.reduce((sum, count) => sum + count, 0);
    return { micros: (cpu() - before) / all, others: all - (statusCodeStats[status[kind]]?.count ?? 0) };
  } finally {
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

export const refusalBench: Bench = {
  name: 'refusal',
  about: 'CPU of a refusal ÷ CPU of the registration it saves',
  runs: 3,
  seconds: 5,
  run: async ({ runs, seconds, say, signal }) => {
    const all = Object.fromEntries(kinds.map((kind) => [kind, [] as { micros: number; others: number }[]])) as Record<
      Kind,
      { micros: number; others: number }[]
    >;
    for (let run = 0; run < runs && !signal.aborted; run++) {
      for (const kind of kinds) all[kind].push(await measure(kind, seconds));
      say(`round ${run + 1}: ${kinds.map((kind) => `${kind} ${all[kind].at(-1)?.micros.toFixed(0)} µs`).join(', ')}`);
    }
    /** Median of the rounds' own ratios: a slow minute of the machine hits all of a round. */
    const ratio = (kind: Kind): number => median(all[kind].map(({ micros }, i) => micros / (all.changed[i]?.micros ?? Number.NaN)));
    return {
      name: 'refusal',
      figures: Object.fromEntries(kinds.map((kind) => [`${kind}_cpu_micros`, round(median(all[kind].map(({ micros }) => micros)))])),
      bars: [
        atMost('shed ÷ registered', ratio('shed'), 0.5),
        atMost('over its quota ÷ registered', ratio('over_quota'), 1),
        atMost('identical ÷ registered', ratio('identical'), 0.8),
        atMost('other answers than asked for', Math.max(...kinds.flatMap((kind) => all[kind].map(({ others }) => others))), 0),
      ],
    };
  },
};
