/**
 * What clients get who do not wait: three times what one worker takes is offered by devices that close the connection after 0.3 s and come
 * back on another. This build and an earlier one, alternating. What was stored for somebody who had gone counts for nothing. A request is a
 * batch of 100 events, so that the service has work to lose: with one event each, whoever asks would take the processor that it measures.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { driveStorm, requestText, type Stormed, type StormPlan } from '#harness/conformance/storm.ts';
import { median } from '#harness/metrics/growth.ts';
import { createAccount } from '#harness/topology/accounts.ts';
import { provisionFleet } from '#harness/topology/provision.ts';
import { startService } from '#harness/topology/service-process.ts';
import { atLeast, type Bench, type BenchOptions, type BenchResult, round } from './bench.ts';
import { type Build, baseDefault, thisBuild, withBuildOf } from './build.ts';

const devices = 64;
const eventsPerBatch = 100;
const peakConnections = 64;
const peakSeconds = 4;
const warmSeconds = 2;
const overload = 3;
const patienceMs = 300;
/** Of devices that are there at once. */
const connectionsMax = 8000;
const goodputMin = 0.7;

const root = fileURLToPath(new URL('../../', import.meta.url));

type Measured = { readonly peakPerSecond: number; readonly goodPerSecond: number; readonly refusedShare: number };

async function measure(build: Build, { seconds, signal }: Pick<BenchOptions, 'seconds' | 'signal'>): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'headroom-bench-'));
  const service = await startService({ workers: 1, folder, entry: join(relative(root, build.folder), 'system/main.ts') });
  try {
    const account = await createAccount(service.adminUrl, service.adminToken, 'bench', { device_ingest_per_second: 100_000 });
    const fleet = await provisionFleet({ url: service.url, accounts: [account], run: 'bench', devices, withTokens: true, onProgress: () => undefined, signal });
    const drive = (name: string, change: Partial<StormPlan>): Promise<Stormed> =>
      driveStorm({
        url: service.url,
        ratePerSecond: undefined,
        seconds: peakSeconds,
        connections: peakConnections,
        onRefusal: 'give-up',
        patienceMs: 60_000,
        requestOf: (i) => ingestOf(fleet[i % devices]?.token ?? '', `${name}-${i}`),
        ...change,
      });
    await drive('warm', { seconds: warmSeconds });
    const peak = await drive('peak', {});
    const peakPerSecond = peak.good / peak.seconds;
    const ratePerSecond = overload * peakPerSecond;
    const connections = Math.min(connectionsMax, Math.ceil((ratePerSecond * patienceMs) / 1000));
    const crowd = await drive('crowd', { ratePerSecond, connections, seconds, patienceMs, cutsOff: true });
    return { peakPerSecond, goodPerSecond: crowd.good / crowd.seconds, refusedShare: crowd.refused / crowd.planned };
  } finally {
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A batch's text around the request's id: whoever asks has other things to do than to serialise. */
const batchParts = JSON.stringify(
  Array.from({ length: eventsPerBatch }, (_, i) => ({ id: `<id>-${i}`, type: 'battery', recorded_at: new Date().toISOString(), data: { level: 1 } })),
).split('<id>');

function ingestOf(token: string, id: string): string {
  const body = batchParts.join(id);
  return requestText({ method: 'POST', path: '/v1/events', authorization: `Bearer ${token}`, body });
}

export const impatientBench: Bench = {
  name: 'impatient',
  about: 'goodput ÷ peak at three times saturation where clients give up after 0.3 s: this build beside an earlier one (--base)',
  runs: 3,
  seconds: 10,
  run: async ({ runs, seconds, base = baseDefault, say, signal }) =>
    await withBuildOf(base, async (build) => {
      const own: Measured[] = [];
      const before: Measured[] = [];
      for (let run = 0; run < runs && !signal.aborted; run++) {
        own.push(await measure(thisBuild, { seconds, signal }));
        before.push(await measure(build, { seconds, signal }));
        say(`round ${run + 1} of ${runs}: base ${lineOf(before.at(-1) as Measured)}; this ${lineOf(own.at(-1) as Measured)}`);
      }
      return resultOf(base, { base: before, this: own });
    }),
};

const partOf = ({ goodPerSecond, peakPerSecond }: Measured): number => goodPerSecond / peakPerSecond;

const lineOf = (measured: Measured): string =>
  `${Math.round(measured.goodPerSecond)} of ${Math.round(measured.peakPerSecond)}/s (${partOf(measured).toFixed(2)}), refused ${(100 * measured.refusedShare).toFixed(0)} %`;

function resultOf(base: string, all: { readonly base: readonly Measured[]; readonly this: readonly Measured[] }): BenchResult {
  const figuresOf = (tool: 'base' | 'this'): Readonly<Record<string, number>> => ({
    [`${tool}_peak_per_s`]: round(median(all[tool].map(({ peakPerSecond }) => peakPerSecond))),
    [`${tool}_good_per_s`]: round(median(all[tool].map(({ goodPerSecond }) => goodPerSecond))),
    [`${tool}_goodput`]: round(median(all[tool].map(partOf))),
  });
  return {
    name: 'impatient',
    tools: ['base', 'this'],
    figures: { compared_with: base, ...figuresOf('base'), ...figuresOf('this') },
    bars: [atLeast('goodput ÷ peak, of clients that give up after 0.3 s', median(all.this.map(partOf)), goodputMin)],
  };
}
