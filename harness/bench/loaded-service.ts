/** The service, or a twin of it, with one worker and a small fleet, driven by autocannon in a closed loop: what that measures well is a ceiling. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { request } from 'undici';
import { readProcess } from '#harness/metrics/proc.ts';
import { parsePrometheusText } from '#harness/metrics/prometheus-text.ts';
import { createAccount } from '#harness/topology/accounts.ts';
import { provisionFleet } from '#harness/topology/provision.ts';
import { startService } from '#harness/topology/service-process.ts';

/** Enough that neither side waits for the other: with 64 the durable one stands in lock-step with its flushes. Same for all. */
const connections = 256;
const devices = 64;
const warmSeconds = 3;

export type Driven = { readonly accepted: number; readonly notAccepted: number; readonly seconds: number; readonly cpuMicros: number };

export type LoadedService = {
  readonly drive: (seconds: number) => Promise<Driven>;
  readonly scrape: () => Promise<Readonly<Record<string, number>>>;
};

/** Warm when `use` is called; stopped and its folder gone when it is done. `twin`: undefined for the service itself. */
export async function withLoadedService<T>(twin: string | undefined, use: (service: LoadedService) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'headroom-bench-'));
  // autocannon changes nothing but the id: to the filters all of a device's events are the same fix, and what is kept is what costs.
  const env = { HEADROOM_FILTER_DUPLICATE_MS: 'off' };
  const service = await startService({ workers: 1, folder, env, ...(twin === undefined ? {} : { entry: 'system/twins/main.ts', args: [twin] }) });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'bench');
    const { signal } = new AbortController();
    const fleet = await provisionFleet({ url: service.url, accounts: [account], run: 'bench', devices, withTokens: true, onProgress: () => undefined, signal });
    const requests = fleet.map(({ token }) => requestOf(token));
    const pids = service.workerPids();
    const cpuMicros = () => pids.reduce((sum, pid) => sum + (readProcess(pid).cpuMicros ?? Number.NaN), 0);
    const drive = async (seconds: number): Promise<Driven> => {
      const before = cpuMicros();
      // Ids must differ, or the service would only look up duplicates.
      const result = await autocannon({ url: `${service.url}/v1/events`, connections, duration: seconds, method: 'POST', idReplacement: true, requests });
      return { accepted: result['2xx'], notAccepted: result.non2xx + result.errors, seconds: result.duration, cpuMicros: cpuMicros() - before };
    };
    await drive(warmSeconds);
    return await use({
      drive,
      scrape: async () => {
        const answer = await request(`${service.url}/metrics`);
        return parsePrometheusText(await answer.body.text());
      },
    });
  } finally {
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const requestOf = (token: string) => ({
  method: 'POST' as const,
  path: '/v1/events',
  headers: { authorization: token.startsWith('Bearer') ? token : `Bearer ${token}`, 'content-type': 'application/json' },
  body: `[{"id":"[<id>]","type":"location","recorded_at":"${new Date().toISOString()}","data":{"lat":52.379189,"lon":4.899431,"accuracy":8.5,"speed":13.4,"bearing":271.5,"altitude":2.1,"provider":"fused","battery":0.81,"motion":"in_vehicle"}}]`,
});
