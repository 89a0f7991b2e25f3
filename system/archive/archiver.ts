/** Takes what the pipeline kept from the log into the vault. */
import { type Clock, createPause, storeMsOf } from '#system/clock.ts';
import { allPartitions, clockSkewMsMax, type LogCursor, type LogEvent, type LogPage, type Position, type Store } from '#system/store/store.ts';
import { manifestKey, packManifest, packSlice, type Slice } from './segment.ts';
import type { Vault } from './vault.ts';

export type ArchiverOptions = {
  readonly store: Pick<Store, 'readLog' | 'readArchive' | 'planArchive' | 'commitArchive'>;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Unique over all workers and restarts. */
  readonly owner: string;
  readonly everyMs: number;
  readonly segmentBytesMax: number;
  readonly bytesPerSecondMax: number;
  readonly onTrouble: (error: unknown) => void;
};
export type Archiver = { readonly stop: () => Promise<void> };

/** Bounds a run's memory: 128 MiB if every event had its most bytes, about 3 MiB with those of phones. */
const eventsPerRunMax = 8192;
/** Longer than a run takes; after it another worker carries the plan on. */
const planTtlMs = 60_000;
const lookEveryMsMax = 10_000;
const troublePauseMs = 5000;

export function startArchiver(options: ArchiverOptions): Archiver {
  const begunMs = options.clock.wallMs();
  let stopping = false;
  const pause = createPause();
  const working: Working = { wait: async (ms) => (stopping ? undefined : pause.for(ms)), isStopping: () => stopping };
  const lookEveryMs = Math.min(lookEveryMsMax, options.everyMs);
  const run = async (): Promise<void> => {
    while (!stopping) {
      try {
        const { partitions } = await options.store.readArchive();
        const endsMs = [begunMs, ...partitions.map(({ endedAtMs }) => endedAtMs)];
        if (isDue(endsMs, { nowMs: storeMsOf(options.clock), everyMs: options.everyMs })) while (await archiveOnce(options, working));
        await working.wait(lookEveryMs);
      } catch (error) {
        options.onTrouble(error);
        await working.wait(troublePauseMs);
      }
    }
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

/** An end in the future is of before the clock was put back, and says nothing. */
function isDue(endsMs: readonly number[], { nowMs, everyMs }: { readonly nowMs: number; readonly everyMs: number }): boolean {
  const last = Math.max(...endsMs.filter((endedAtMs) => endedAtMs <= nowMs + clockSkewMsMax));
  return nowMs - last >= everyMs;
}

type Working = { readonly wait: (ms: number) => Promise<void>; readonly isStopping: () => boolean };

/** One run of every bucket that has something. True: there is more; never where nothing could be planned, since the next run would read the same again. */
export async function archiveOnce(options: ArchiverOptions, working: Working): Promise<boolean> {
  const { store, clock, owner } = options;
  const { partitions } = await store.readArchive();
  const through: LogCursor = Object.fromEntries(partitions.map((partition, i) => [i, partition.through]));
  const page = await store.readLog({ partitions: allPartitions, after: through, limitEvents: eventsPerRunMax });
  const nowMs = storeMsOf(clock);
  const plans = await Promise.all(
    endsOf(page).map(async ({ partition, to }) => {
      const plan = await store.planArchive({ partition, owner, name: `${owner}-${nowMs.toString(36)}`, to, nowMs, ttlMs: planTtlMs });
      return plan.kind === 'idle' ? undefined : { partition, asked: to, ...plan };
    }),
  );
  const planned = plans.filter((plan) => plan !== undefined);
  for (const plan of planned) {
    if (working.isStopping()) return false;
    const { partition: bucket, from, to, name, asked } = plan;
    // A plan of somebody who died is another slice than the one that was just read.
    const events = from === through[bucket] && to <= asked ? keptIn(page.events, { bucket, to }) : await readSlice(store, { bucket, from, to });
    await archiveSlice(options, { bucket, from, to, name, events }, working);
  }
  return planned.length > 0 && !page.atEnd && !working.isStopping();
}

/** For each bucket the last position before what is pending: what stands there does not change any more. */
function endsOf(page: LogPage): readonly { readonly partition: number; readonly to: Position }[] {
  const ends = new Map<number, Position>();
  const pending = new Set<number>();
  for (const { partition, position, disposition } of page.events) {
    if (disposition === 'pending') pending.add(partition);
    else if (!pending.has(partition)) ends.set(partition, position);
  }
  return allPartitions.flatMap((partition) => {
    const to = pending.has(partition) ? ends.get(partition) : page.cursor[partition];
    return to === undefined ? [] : [{ partition, to }];
  });
}

const keptIn = (events: LogPage['events'], { bucket, to }: { readonly bucket: number; readonly to: Position }): readonly LogEvent[] =>
  events.filter(({ partition, position, disposition }) => partition === bucket && position <= to && disposition === 'kept');

async function readSlice(store: ArchiverOptions['store'], slice: Pick<Slice, 'bucket' | 'from' | 'to'>): Promise<readonly LogEvent[]> {
  const { bucket, from, to } = slice;
  const events: LogEvent[] = [];
  let after: LogCursor = { [bucket]: from };
  for (;;) {
    const page = await store.readLog({ partitions: [bucket], after, limitEvents: eventsPerRunMax });
    events.push(...keptIn(page.events, slice));
    after = page.cursor;
    if (page.atEnd || (page.cursor[bucket] ?? from) >= to) return events;
  }
}

/** Who stops leaves the plan as it is: its owner's time runs out, and another carries it on. */
async function archiveSlice(options: ArchiverOptions, slice: Slice, { wait, isStopping }: Working): Promise<void> {
  const { store, vault, clock, segmentBytesMax, bytesPerSecondMax } = options;
  const { bucket, from, to, name, events } = slice;
  const commit = { partition: bucket, name, nowMs: storeMsOf(clock) };
  if (events.length === 0) {
    await store.commitArchive({ ...commit, events: 0, segments: 0, bytes: 0 });
    return;
  }
  const packed = packSlice(slice, segmentBytesMax);
  let bytes = 0;
  for (const { segment, bytes: content } of packed) {
    if (isStopping()) return;
    await vault.put(segment.key, content);
    bytes += content.length;
    await wait((content.length / bytesPerSecondMax) * 1000);
  }
  const manifest = manifestKey(slice);
  await vault.put(manifest, packManifest({ version: 1, bucket, from, to, segments: packed.map(({ segment }) => segment) }));
  await store.commitArchive({ ...commit, manifest, events: events.length, segments: packed.length, bytes });
}
