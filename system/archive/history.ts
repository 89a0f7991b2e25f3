/** History over the border of the log and the archive. */
import { type HistoryPage, type HistoryQuery, type LogEvent, type Position, partitionOf, type Store } from '#system/store/store.ts';
import { deviceDigest, type Manifest, type Segment, unpackManifest, unpackSegment } from './segment.ts';
import type { Vault } from './vault.ts';

export type History = {
  /** `next`: where a page that ended early goes on. */
  readonly read: (query: HistoryQuery) => Promise<HistoryPage & { readonly next?: Position }>;
};

type Needs = { readonly store: Pick<Store, 'readHistory' | 'readArchivedRuns'>; readonly vault: Vault | undefined };
type Older = { readonly events: readonly LogEvent[]; readonly next?: Position };

/** A device that is silent for long has nothing in most runs: a page looks into so many and then says where to go on. */
const runsPerPageMax = 64;

export function createHistory({ store, vault }: Needs): History {
  return {
    read: async (query) => {
      const hot = await store.readHistory(query);
      const { floor } = hot;
      if (vault === undefined || floor === undefined || query.after >= floor) return hot;
      const older = await readOlder({ store, vault }, { ...query, floor });
      const archived = older.events.map((event) => ({ ...event, disposition: 'kept' as const }));
      if (older.next !== undefined) return { events: archived, atEnd: false, next: older.next };
      const events = [...archived, ...hot.events];
      return events.length > query.limit ? { events: events.slice(0, query.limit), atEnd: false } : { events, atEnd: hot.atEnd };
    },
  };
}

type OlderQuery = HistoryQuery & { readonly floor: Position };

/** What stands before the log's floor. It is archived whole: the log is pruned only behind that. */
async function readOlder({ store, vault }: { readonly store: Needs['store']; readonly vault: Vault }, query: OlderQuery): Promise<Older> {
  const { account, device, after, floor, limit } = query;
  const runs = await store.readArchivedRuns({ partition: partitionOf(account, device), after, limit: runsPerPageMax });
  const events: LogEvent[] = [];
  for (const run of runs) {
    if (run.from >= floor) return { events };
    const manifest = unpackManifest(await fetched(vault, run.key));
    const found: LogEvent[] = [];
    for (const segment of manifest.segments) if (mayHold(segment, query)) found.push(...(await eventsOf(vault, manifest, segment, query)));
    // Segments of a run are by day of reception, and two days interleave where clocks of workers differ.
    events.push(...found.sort((a, b) => (a.position < b.position ? -1 : 1)));
    // One more than asked for: there is another page.
    if (events.length > limit) return { events: events.slice(0, limit), next: (events[limit - 1] as LogEvent).position };
  }
  const last = runs.at(-1);
  return runs.length === runsPerPageMax && last !== undefined ? { events, next: last.to } : { events };
}

const mayHold = ({ devices, first_received_ms: firstMs, last_received_ms: lastMs }: Segment, { account, device, fromMs, toMs }: OlderQuery): boolean =>
  devices.includes(deviceDigest(account, device)) && lastMs >= (fromMs ?? Number.NEGATIVE_INFINITY) && firstMs < (toMs ?? Number.POSITIVE_INFINITY);

async function eventsOf(vault: Vault, { bucket }: Manifest, { key }: Segment, query: OlderQuery): Promise<readonly LogEvent[]> {
  const { account, device, after, floor, fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY } = query;
  return unpackSegment(await fetched(vault, key), bucket).filter(
    (event) =>
      event.account === account &&
      event.device === device &&
      event.position > after &&
      event.position < floor &&
      event.receivedAtMs >= fromMs &&
      event.receivedAtMs < toMs,
  );
}

/** Thrown where the archive lacks what the store says is there: history would have a hole. */
async function fetched(vault: Vault, key: string): Promise<Uint8Array> {
  const bytes = await vault.get(key);
  if (bytes === undefined) throw new Error(`the archive lacks ${key}`);
  return bytes;
}
