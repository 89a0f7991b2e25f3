// The holder of streams on virtual time, against a scripted service: the same code as in a process, with a clock and wires of ours.
import { Holder } from '#harness/engine/streams/holder.ts';
import type { ReaderPlan } from '#harness/engine/streams/kit.ts';
import type { Comparison, FromHolder, UserLog } from '#harness/engine/streams/messages.ts';
import { referenceLaw } from '#harness/engine/streams/reconnect.ts';
import { StreamFold } from '#harness/metrics/fold-streams.ts';
import type { Acknowledgements, StreamCell, StreamCounts, WorkerLag } from '#harness/run-result.ts';
import { EventQueue } from './event-queue.ts';
import { createScriptedWire, type ScriptedServer } from './scripted-wire.ts';

export type SimulatedStreams = {
  readonly server: (at: { readonly queue: EventQueue }) => ScriptedServer;
  readonly readers?: readonly Partial<ReaderPlan>[];
  readonly listeners?: number;
  readonly users?: number;
  readonly seconds: number;
  /** When the population goes back to none; never without it. */
  readonly closeAtMs?: number;
  readonly acknowledged?: Acknowledgements;
  readonly stops?: readonly { readonly atMs: number; readonly forMs: number }[];
  readonly logs?: readonly UserLog[];
  /** The wire is told when bytes came, as by a kernel. */
  readonly stampsArrivals?: boolean;
};

export type SimulatedOutcome = {
  readonly cells: readonly StreamCell[];
  readonly lag: readonly WorkerLag[];
  readonly count: (name: keyof StreamCounts) => number;
  readonly spoiled: (name: keyof StreamCounts) => number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly compare: () => Promise<Comparison>;
};

export const run = 'simulation00';
const turnEveryMs = 5;
const standard: ReaderPlan = {
  name: 'devices',
  channels: ['sync:trips', 'inbox'],
  way: { kind: 'stream', as: 'ndjson', heartbeatMs: 1000 },
  pace: { kind: 'normal' },
  reconnect: referenceLaw,
  count: 1,
};

export function simulateStreams(options: SimulatedStreams): SimulatedOutcome {
  const queue = new EventQueue();
  const { listeners = 1, users = 1, stops = [] } = options;
  const readers = (options.readers ?? [{}]).map((changes) => ({ ...standard, count: listeners, ...changes }));
  const seenAt = (atMs: number): number =>
    stops.reduce((seen, stop) => (seen >= stop.atMs && seen < stop.atMs + stop.forMs ? stop.atMs + stop.forMs : seen), atMs);
  const fold = new StreamFold();
  const lag: WorkerLag[] = [];
  const say = (message: FromHolder): void => {
    if (message.kind !== 'delta') return;
    fold.add(message.delta);
    lag.push(message.delta.lag);
  };
  const holder = new Holder({
    input: {
      process: 0,
      processes: 1,
      originNs: '0',
      run,
      seed: 1,
      population: { accounts: 1, devices: Math.max(1, users), users },
      scale: 1,
      targets: [{ host: 'scripted', port: 80, pathPrefix: '' }],
      readers,
      credential: 'user',
      authorizations: Array.from({ length: users }, (_, user) => `Bearer user-${user}`),
      watchers: [],
      reportsSilenced: false,
      wire: 'auto',
    },
    wires: [
      createScriptedWire({
        queue,
        server: options.server({ queue }),
        numbers: { connections: 0, requests: 0 },
        seenAt,
        stampsArrivals: options.stampsArrivals ?? false,
      }),
    ],
    writers: [({ path, headers }) => `GET ${path} ${headers[0]}`],
    nowMs: () => queue.nowMs,
    sleepMaxMs: turnEveryMs,
    spoiledAboveMs: 50,
    takeLag: () => ({ gcMsTotal: 0, gcMsMax: 0, utilisation: 0 }),
    say,
  });
  const population = (target: number) => readers.map((_, reader) => ({ reader, target, perSecond: 1_000_000 }));
  holder.phase({ phase: 0, startMs: 0, population: population(listeners) });
  if (options.acknowledged !== undefined) holder.acknowledged(options.acknowledged);
  const turn = (): void => {
    while (holder.turn());
    queue.at(seenAt(queue.nowMs + turnEveryMs), turn);
  };
  turn();
  if (options.closeAtMs !== undefined) queue.at(options.closeAtMs, () => holder.phase({ phase: 0, startMs: queue.nowMs, population: population(0) }));
  queue.runUntil(options.seconds * 1000);
  holder.handOver();
  const cells = fold.cells();
  const sum = (pick: (cell: StreamCell) => number | undefined): number => cells.reduce((total, cell) => total + (pick(cell) ?? 0), 0);
  const reasons: Record<string, number> = {};
  for (const cell of cells) for (const [reason, times] of Object.entries(cell.reasons)) reasons[reason] = (reasons[reason] ?? 0) + times;
  return {
    cells,
    lag,
    count: (name) => sum((cell) => cell.counts[name]),
    spoiled: (name) => sum((cell) => cell.spoiled[name]),
    reasons,
    compare: () =>
      holder.compare(options.logs ?? [], 1000, async () => {
        queue.runUntil(queue.nowMs + 100);
      }),
  };
}
