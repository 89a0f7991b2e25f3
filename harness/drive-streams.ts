/** Those who listen, beside the load: started, moved by the phases, told of what was acknowledged, and compared with the log at the end. */
import type { EngineTarget } from '#harness/engine/engine.ts';
import type { WireChoice } from '#harness/engine/native/wire/wire.ts';
import { type StreamFleet, startFleet } from '#harness/engine/streams/fleet.ts';
import type { Comparison, PopulationNow, UserLog } from '#harness/engine/streams/messages.ts';
import { phaseStart, readerPlans } from '#harness/engine/streams/plan.ts';
import type { PresenceSample } from '#harness/engine/streams/presence-book.ts';
import { type PhaseBegun, phaseAt } from '#harness/engine/streams/stream-recorder.ts';
import { StreamFold } from '#harness/metrics/fold-streams.ts';
import { emptyHistogram, Histogram } from '#harness/metrics/histogram.ts';
import type { Acknowledgements, StreamCell, StreamDelta, StreamsRecord, WorkerLag } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import type { ItemContext } from '#harness/target/operation.ts';

export type StreamsInput = {
  readonly wire: WireChoice;
  /** With its clock taken out. */
  readonly scenario: Scenario;
  readonly scale: number;
  readonly run: string;
  readonly seed: number;
  readonly originNs: bigint;
  readonly targets: readonly EngineTarget[];
  readonly items: ItemContext;
  /** Authorization headers: of devices and of users by index, and of accounts. */
  readonly devices: readonly string[];
  readonly users: readonly string[];
  readonly accounts: readonly string[];
};

export type DrivenStreams = {
  readonly fleet: Pick<StreamFleet, 'pids' | 'kill'>;
  readonly phase: (phase: number, startMs: number) => void;
  readonly acknowledged: (acknowledged: Acknowledgements | undefined) => void;
  readonly now: () => PopulationNow;
  readonly cellsOfSecond: (second: number) => readonly StreamCell[];
  readonly cells: () => readonly StreamCell[];
  /** A holder that ended by itself, as a sentence. */
  readonly trouble: () => string | undefined;
  readonly compare: (logs: readonly UserLog[]) => Promise<Comparison>;
  readonly finish: () => Promise<StreamsRecord>;
};

const compareMsMax = 30_000;

export async function startStreams(input: StreamsInput): Promise<DrivenStreams> {
  const { scenario, items, scale } = input;
  const plans = readerPlans(scenario);
  const fold = new StreamFold();
  const processes: WorkerLag[] = [];
  const phases: PhaseBegun[] = [];
  const { credential = 'device', processes: count = 1, watchPresence = false } = scenario.streams ?? {};
  const fleet = await startFleet(
    {
      processes: count,
      originNs: String(input.originNs),
      run: input.run,
      seed: input.seed,
      population: { accounts: items.accounts, devices: items.devices, users: items.users },
      scale,
      targets: input.targets,
      readers: plans,
      credential,
      authorizations: credential === 'device' ? input.devices : input.users,
      watchers: watchPresence ? input.accounts : [],
      wire: input.wire,
    },
    {
      onDelta: (delta) => {
        fold.add(delta);
        processes.push(delta.lag);
      },
      onPresence: ({ closedAtMs, afterMs, reader }) =>
        fold.add(presenceDelta({ closedAtMs, afterMs: afterMs * scale, reader }, phases, plans[reader]?.name ?? '')),
    },
  );
  return {
    fleet,
    phase: (phase, startMs) => {
      phases.push({ phase, startMs });
      fleet.phase(phaseStart(scenario.phases[phase] as Scenario['phases'][number], plans, { phase, startMs }));
    },
    acknowledged: (acknowledged) => {
      if (acknowledged !== undefined) fleet.acknowledged(acknowledged);
    },
    now: fleet.now,
    cellsOfSecond: (second) => fold.cellsOfSecond(second),
    cells: () => fold.cells(),
    trouble: fleet.trouble,
    compare: (logs) => {
      fleet.release();
      return fleet.compare(logs, compareMsMax);
    },
    finish: async () => {
      await fleet.finish();
      return { cells: fold.cells(), processes };
    },
  };
}

function presenceDelta({ closedAtMs, afterMs }: PresenceSample, phases: readonly PhaseBegun[], reader: string): Pick<StreamDelta, 'cells'> {
  const histogram = new Histogram();
  histogram.record(afterMs * 1000);
  const times = { offline_after: { clean: histogram.toSparse(), spoiled: emptyHistogram } };
  const second = Math.floor(closedAtMs / 1000);
  return { cells: [{ second, phase: phaseAt(phases, closedAtMs), reader, counts: {}, spoiled: {}, times, reasons: {} }] };
}
