/** One worker's pipeline. */
import { type Clock, createPause, storeMsAgo, storeMsOf } from '#system/clock.ts';
import type { DeviceRef, LogEvent, Position, Store } from '#system/store/store.ts';
import { partitionCount } from '#system/store/store.ts';
import { byDevice, deviceSteps } from './device-steps.ts';
import { createJudge, type Judge } from './filters.ts';
import type { FilterSettings } from './settings.ts';

export type PipelineOptions = {
  readonly store: Store;
  readonly clock: Clock;
  /** Unique over all workers and restarts. */
  readonly owner: string;
  readonly filters: FilterSettings;
  readonly onTrouble: (error: unknown) => void;
  readonly presenceTimeoutMs?: number | undefined;
  /** Devices whose latest location or presence is another one now. */
  readonly onNews?: ((devices: readonly DeviceRef[]) => void) | undefined;
};

const leaseTtlMs = 9000;
const renewEveryMs = 3000;
const pauseMs = 100;
/** The store's thread commits between two steps: this bounds how long requests wait for that. */
const eventsAStepMax = 512;
const troublePauseMs = 1000;
/** An event that is being flushed now may have been received this long ago: until then its device is not called silent. */
const flushMarginMs = 500;
const devicesPerExpiry = 256;

export type Pipeline = { readonly stop: () => Promise<void> };

export function startPipeline(options: PipelineOptions): Pipeline {
  const held: Held = new Map();
  let stopping = false;
  const judge = createJudge(options.filters);
  const pause = createPause();
  const run = async () => {
    let renewAtMs = Number.NEGATIVE_INFINITY;
    while (!stopping) {
      try {
        if (options.clock.monotonicMs() >= renewAtMs) {
          await takeLeases(options, held);
          renewAtMs = options.clock.monotonicMs() + renewEveryMs;
        }
        // What was received until here is stepped over once a page says that it was the log's end.
        const nowMs = storeMsOf(options.clock);
        const busy = held.size > 0 && (await stepOnce(options, held, judge));
        if (busy) continue;
        await expireSilent(options, held, nowMs - flushMarginMs);
        await pause.for(pauseMs);
      } catch (error) {
        options.onTrouble(error);
        held.clear();
        renewAtMs = Number.NEGATIVE_INFINITY;
        await pause.for(troublePauseMs);
      }
    }
    await Promise.allSettled([...held].map(([partition, { fence }]) => options.store.release({ partition, owner: options.owner, fence })));
  };
  const running = run();
  return {
    stop: () => {
      stopping = true;
      pause.end();
      return running;
    },
  };
}

/** `read`: up to where the log has no more of this partition than was stepped over; never before the checkpoint. */
type Held = Map<number, { fence: number; checkpoint: Position; read: Position }>;

async function takeLeases({ store, clock, owner }: PipelineOptions, held: Held): Promise<void> {
  const nowMs = storeMsOf(clock);
  const results = await Promise.all(Array.from({ length: partitionCount }, (_, partition) => store.lease({ partition, owner, nowMs, ttlMs: leaseTtlMs })));
  for (const [partition, result] of results.entries()) {
    if (result.kind === 'held') {
      const { fence, checkpoint } = result;
      const before = held.get(partition);
      const read = before?.fence === fence && before.read > checkpoint ? before.read : checkpoint;
      held.set(partition, { fence, checkpoint, read });
    } else held.delete(partition);
  }
}

/** Steps all partitions that have news, in one tick, so that the store may commit them together. True: there may be more at once. */
async function stepOnce(options: PipelineOptions, held: Held, judge: Judge): Promise<boolean> {
  const { store } = options;
  const after = Object.fromEntries([...held].map(([partition, { read }]) => [partition, read]));
  const page = await store.readLog({ partitions: [...held.keys()], after, limitEvents: eventsAStepMax });
  const byPartition = Map.groupBy(page.events, ({ partition }) => partition);
  // All states before the first step, so that all steps come to the store in one tick.
  const read = await Promise.all(
    Array.from(byPartition, async ([partition, events]) => {
      const devices = byDevice(events);
      return { partition, events, devices, states: await store.readStates(devices.map(({ ref }) => ref)) };
    }),
  );
  const steps = read.map(async ({ partition, events, devices, states }) => {
    const lease = held.get(partition);
    if (lease === undefined) return;
    const to = (events.at(-1) as LogEvent).position;
    const result = await store.step({
      partition,
      fence: lease.fence,
      from: lease.checkpoint,
      to,
      devices: deviceSteps({ devices, states, judge, seenAtMs: (receivedAtMs) => storeMsAgo(options.clock, receivedAtMs, options.presenceTimeoutMs ?? 0) }),
      ...presenceOf(options),
    });
    if (result.kind === 'stepped') {
      lease.checkpoint = to;
      if (result.news !== undefined) options.onNews?.(result.news);
    } else if (result.kind === 'moved') Object.assign(lease, { checkpoint: result.checkpoint, read: result.checkpoint });
    else held.delete(partition);
  });
  await Promise.all(steps);
  for (const [partition, lease] of held) {
    const read = page.cursor[partition];
    // Not where the checkpoint is another's: its events are read again from there.
    if (read !== undefined && read > lease.read && (lease.checkpoint === byPartition.get(partition)?.at(-1)?.position || !byPartition.has(partition)))
      lease.read = read;
  }
  return !page.atEnd && page.events.length > 0;
}

const presenceOf = ({ presenceTimeoutMs }: PipelineOptions) => (presenceTimeoutMs === undefined ? {} : { presenceTimeoutMs });

async function expireSilent({ store, presenceTimeoutMs: timeoutMs, onNews }: PipelineOptions, held: Held, nowMs: number): Promise<void> {
  if (timeoutMs === undefined || held.size === 0) return;
  for (const partition of await store.readDue({ partitions: [...held.keys()], nowMs })) {
    const fence = held.get(partition)?.fence;
    if (fence === undefined) continue;
    const gone = await store.expire({ partition, fence, nowMs, timeoutMs, limit: devicesPerExpiry });
    if (gone.length > 0) onNews?.(gone);
  }
}
