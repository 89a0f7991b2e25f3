/** Faults of what becomes of events behind the acknowledgement. */
import type { LatestLocation, Store } from '#system/store/store.ts';
import { type Fault, withStore } from './fault.ts';

const unchanged: Fault['apply'] = (deps) => deps;

export const pipelineFaults: readonly Fault[] = [
  {
    name: 'latest-by-arrival',
    breaks: ['R35', 'R36'],
    about: 'takes for the latest location the one that came last',
    apply: withStore((store) => ({ readLatest: (query) => lastArrived(store, query) })),
  },
  {
    name: 'counts-filtered-twice',
    breaks: ['R37'],
    about: 'counts what it filters twice',
    apply: unchanged,
    pipeline: 'counts-filtered-twice',
  },
  {
    name: 'doubles-thresholds',
    breaks: ['R38'],
    about: 'filters only from twice the threshold on',
    apply: unchanged,
    pipeline: 'doubles-thresholds',
  },
  {
    name: 'filters-states',
    breaks: ['R39'],
    about: 'filters changes of state as if they were locations',
    apply: unchanged,
    pipeline: 'filters-states',
  },
  {
    name: 'skips-between-pages',
    breaks: ['R40'],
    about: 'leaves out the first event of every further page of history',
    apply: withStore((store) => ({
      readHistory: async (query) => {
        const page = await store.readHistory(query);
        return query.after === '' ? page : { ...page, events: page.events.slice(1) };
      },
    })),
  },
];

const pageMax = 1000;

async function lastArrived(store: Store, query: { readonly account: string; readonly device: string }): Promise<LatestLocation | undefined> {
  const { events } = await store.readHistory({ ...query, after: '', limit: pageMax, include: 'kept' });
  const last = events.at(-1);
  return last && { recordedAtMs: last.receivedAtMs, id: last.id, position: last.position, bytes: last.bytes };
}
