/** Our own listeners as a bench needs them: one process of the fleet, so many of them, one user. */
import { type StreamFleet, startFleet } from '#harness/engine/streams/fleet.ts';
import { referenceLaw } from '#harness/engine/streams/reconnect.ts';
import { pollUntil } from './poll.ts';
import type { Holder } from './processes.ts';

export type OwnListeners = {
  readonly pid: number;
  /** Resolves when so many are live. */
  readonly hold: (count: number) => Promise<void>;
  readonly lost: () => number;
  readonly stop: () => Promise<void>;
};

const listenersMax = 20_000;
const opensPerSecond = 2000;
const heldWithinMs = 60_000;

export async function startOwnListeners({ port, authorization }: Holder): Promise<OwnListeners> {
  const originNs = process.hrtime.bigint();
  const sinceOriginMs = (): number => Number(process.hrtime.bigint() - originNs) / 1e6;
  let lost = 0;
  const fleet: StreamFleet = await startFleet(
    {
      processes: 1,
      originNs: String(originNs),
      run: 'benchbenchxx',
      seed: 1,
      population: { accounts: 1, devices: 1, users: 1 },
      scale: 1,
      targets: [{ host: '127.0.0.1', port, pathPrefix: '' }],
      readers: [
        {
          name: 'listeners',
          channels: ['sync:bench'],
          way: { kind: 'stream', as: 'ndjson', heartbeatMs: 25_000 },
          pace: { kind: 'normal' },
          reconnect: referenceLaw,
          count: listenersMax,
        },
      ],
      credential: 'user',
      authorizations: [authorization],
      watchers: [],
      wire: 'auto',
    },
    {
      onDelta: ({ cells }) => {
        for (const { counts } of cells) lost += (counts.lost ?? 0) + (counts.failed ?? 0) + (counts.refused ?? 0);
      },
      onPresence: () => undefined,
    },
  );
  return {
    pid: fleet.pids[0] as number,
    hold: async (count) => {
      fleet.phase({ phase: 0, startMs: sinceOriginMs(), population: [{ reader: 0, target: count, perSecond: opensPerSecond }] });
      await pollUntil(
        () => fleet.now().live >= count,
        heldWithinMs,
        () => `${fleet.now().live} of ${count} listeners are live, ${lost} were lost`,
      );
    },
    lost: () => lost,
    stop: fleet.finish,
  };
}
