/** All of them, in the order in which a round runs them. */
import type { BenchOptions } from '#harness/bench/bench.ts';
import { type NullTargetOptions, type NullTargetReport, startNullTarget } from '#harness/engine/native/start-null-target.ts';
import { commandPeers } from './commands.ts';
import { nodePeer } from './in-node.ts';
import type { Peer, PeerLoad, PeerOutcome } from './peer.ts';

export const ours = 'headroom';
const peers: readonly Peer[] = [nodePeer(ours), nodePeer('undici'), nodePeer('autocannon'), ...commandPeers];

export type Measured = { readonly outcome: PeerOutcome; readonly seen: NullTargetReport };
/** By the tool's name, a measurement for each round. */
export type Rounds = Readonly<Record<string, readonly Measured[]>>;

export type RoundsOptions = BenchOptions & {
  /** Without it everybody. */
  readonly only?: string;
  readonly target: NullTargetOptions;
  readonly load: Omit<PeerLoad, 'host' | 'port' | 'seed'>;
};

/** Every tool in each round, a fresh target for each, so that a slow minute of the machine hits all of them. */
export async function runRounds({ target: targetOptions, load, runs, say, signal, only }: RoundsOptions): Promise<Rounds> {
  const asked = peers.filter(({ name }) => only === undefined || name === only);
  const present = asked.filter((peer) => peer.find() !== undefined);
  const missing = asked.filter((peer) => peer.find() === undefined).map(({ name }) => name);
  if (missing.length > 0) say(`not on PATH, left out: ${missing.join(', ')}`);
  const rounds: Record<string, Measured[]> = Object.fromEntries(present.map(({ name }) => [name, []]));
  for (let round = 0; round < runs; round++) {
    for (const peer of present) {
      if (signal.aborted) return rounds;
      const measured = await measure(peer, { targetOptions, load: { ...load, seed: round + 1 }, signal }).catch((error: unknown) => {
        if (signal.aborted) return undefined;
        throw error;
      });
      if (measured === undefined) return rounds;
      rounds[peer.name]?.push(measured);
      const { cpuMicrosPerRequest, latencyMs } = measured.outcome;
      const dispersion = measured.seen.dispersion['0.2'];
      say(
        `round ${round + 1} ${peer.name}: ${measured.seen.requests} requests, ${cpuMicrosPerRequest.toFixed(1)} µs each, dispersion ${dispersion?.toFixed(2) ?? '–'}, p50 ${latencyMs.p50?.toFixed(2) ?? '–'} p99 ${latencyMs.p99?.toFixed(2) ?? '–'} ms`,
      );
    }
  }
  return rounds;
}

type Measuring = { readonly targetOptions: NullTargetOptions; readonly load: Omit<PeerLoad, 'host' | 'port'>; readonly signal: AbortSignal };

async function measure(peer: Peer, { targetOptions, load, signal }: Measuring): Promise<Measured> {
  const target = await startNullTarget({ ...targetOptions, seed: load.seed });
  try {
    const outcome = await peer.run({ ...load, host: target.host, port: target.port }, target, signal);
    return { outcome, seen: await target.report() };
  } finally {
    await target.stop();
  }
}
