/** Entry of a peer's process: drives the load, says when what counts begins and what it saw. */
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { Pool } from 'undici';
import { engineInput } from '#harness/bench/engine-load.ts';
import { createNativeEngine } from '#harness/engine/native/native-engine.ts';
import { CellFold, timesOf } from '#harness/metrics/fold.ts';
import { Histogram, quantileMicros, type SparseHistogram } from '#harness/metrics/histogram.ts';
import { createRandom } from '#harness/pacing/random.ts';
import type { FromNodePeer, NodePeerInput, NodePeerName } from './in-node.ts';
import { body, type PeerLoad, type PeerOutcome, path, type Quantiles, token } from './peer.ts';

const warmSeconds = 2;
const timeoutMs = 5000;

const say = (message: FromNodePeer): void => void process.send?.(message);

function quantilesOf(histogram: SparseHistogram): Quantiles {
  const millis = (q: number): number | null => {
    const micros = quantileMicros(histogram, q);
    return micros === undefined ? null : micros / 1000;
  };
  return { p50: millis(0.5), p90: millis(0.9), p99: millis(0.99) };
}

/** CPU of this process, all threads, from now until it is asked. */
function startCpu(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
}

/** Ours with everything on: the operations of a scenario, histograms, evenness, ledger, checks of every answer. */
async function headroom(load: PeerLoad): Promise<PeerOutcome> {
  const fold = new CellFold();
  const input = engineInput({ ...load, phases: { warm: warmSeconds, measured: load.seconds } });
  const run = await createNativeEngine().prepare(input, { onDelta: (delta) => fold.add(delta) });
  const nowMs = (): number => Number(process.hrtime.bigint() - run.originNs) / 1e6;
  const startMs = nowMs() + 200;
  const driven = [run.drive(0, startMs), run.drive(1, startMs + warmSeconds * 1000)];
  await sleep(startMs + warmSeconds * 1000 - nowMs());
  const cpu = startCpu();
  say({ kind: 'measuring' });
  await Promise.all(driven);
  const cpuMicros = cpu();
  await run.finish();
  const cells = fold.cells().filter((cell) => cell.phase === 1);
  const good = cells.reduce((sum, { counts }) => sum + counts.good, 0);
  const planned = cells.reduce((sum, { counts }) => sum + counts.planned, 0);
  if (good < planned) throw new Error(`${planned - good} of ${planned} requests were not answered well by a target that does nothing else`);
  return {
    cpuMicrosPerRequest: cpuMicros / good,
    latencyMs: quantilesOf(timesOf(cells, 'service')),
    responseMs: quantilesOf(timesOf(cells, 'response')),
    dispatchDelayP99Ms: quantilesOf(timesOf(cells, 'dispatch_delay')).p99 ?? Number.NaN,
  };
}

/** The same Poisson plan on the leanest call of undici and the timer that everybody uses. One constant body, status looked at, nothing kept but a histogram. */
async function undici(load: PeerLoad): Promise<PeerOutcome> {
  const pool = new Pool(`http://${load.host}:${load.port}`, {
    connections: load.connections,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const random = createRandom(load.seed, 0);
  const headers = ['authorization', `Bearer ${token}`, 'content-type', 'application/json'];
  let histogram = new Histogram();
  let fired = 0;
  let failed = 0;
  const fire = (): void => {
    const sentMs = performance.now();
    let status = 0;
    fired++;
    pool.dispatch(
      { method: 'POST', path, headers, body },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_, statusCode) => {
          status = statusCode;
        },
        onResponseData: () => undefined,
        onResponseEnd: () => {
          if (status !== 202) failed++;
          histogram.record((performance.now() - sentMs) * 1000);
        },
        onResponseError: () => {
          failed++;
        },
      },
    );
  };
  const drive = (seconds: number): Promise<void> =>
    new Promise((resolve) => {
      const startMs = performance.now();
      let dueMs = startMs;
      const turn = setInterval(() => {
        const nowMs = performance.now();
        while (dueMs <= nowMs && dueMs < startMs + seconds * 1000) {
          fire();
          dueMs -= (Math.log(random()) * 1000) / load.ratePerSecond;
        }
        if (nowMs < startMs + seconds * 1000) return;
        clearInterval(turn);
        resolve();
      }, 1);
    });
  await drive(warmSeconds);
  fired = 0;
  histogram = new Histogram();
  const cpu = startCpu();
  say({ kind: 'measuring' });
  await drive(load.seconds);
  const cpuMicros = cpu();
  await sleep(200);
  await pool.close();
  if (failed > 0) throw new Error(`${failed} requests of undici failed`);
  return { cpuMicrosPerRequest: cpuMicros / fired, latencyMs: quantilesOf(histogram.toSparse()) };
}

async function viaAutocannon(load: PeerLoad): Promise<PeerOutcome> {
  const drive = (duration: number) =>
    autocannon({
      url: `http://${load.host}:${load.port}${path}`,
      connections: load.connections,
      duration,
      overallRate: load.ratePerSecond,
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
    });
  await drive(warmSeconds);
  const cpu = startCpu();
  say({ kind: 'measuring' });
  const { latency, ...result } = await drive(load.seconds);
  return { cpuMicrosPerRequest: cpu() / result['2xx'], latencyMs: { p50: latency.p50, p90: latency.p90, p99: latency.p99 } };
}

const peers: Readonly<Record<NodePeerName, (load: PeerLoad) => Promise<PeerOutcome>>> = { headroom, undici, autocannon: viaAutocannon };

const { name, load } = JSON.parse(process.argv[2] as string) as NodePeerInput;
// Whoever started it is gone, however it ended.
process.on('disconnect', () => process.exit(1));
say({ kind: 'outcome', outcome: await peers[name](load) });
process.disconnect?.();
