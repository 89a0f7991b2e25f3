/** A day that outruns the one before, told once. */
import type { Clock } from '#system/clock.ts';
import { type Day, dayMs, dayOf, type Store, type UsageDay } from '#system/store/store.ts';

export const spikeMeasures = ['events', 'calls', 'registrations'] as const;
export type SpikeMeasure = (typeof spikeMeasures)[number];

/** What goes outward. `id` is the same however often it is told. */
export type UsageSpike = {
  readonly id: string;
  readonly type: 'usage.spike';
  readonly account: string;
  /** RFC 3339. */
  readonly at: string;
  readonly data: { readonly date: string; readonly measure: SpikeMeasure; readonly today: number; readonly day_before: number; readonly factor: number };
};

export type SpikesOptions = {
  readonly store: Pick<Store, 'readUsage' | 'settle'>;
  readonly clock: Clock;
  /** This process's own name: who settles a spike's name with it tells it. */
  readonly source: string;
  readonly factor: number;
  readonly tell: (spike: UsageSpike) => void | Promise<void>;
};

export type Spikes = { readonly look: (accounts: readonly string[]) => Promise<void> };

/** A day before with less counts as this much. */
export const dayBeforeMin = 100;

export const dateOf = (day: Day): string => new Date(day * dayMs).toISOString().slice(0, 10);

export function createSpikes(options: SpikesOptions): Spikes {
  let today: Day = 0;
  /** Told today, here or elsewhere. */
  let told = new Set<string>();
  /** Accounts with a spike that is still to be told: they need not call again for that. */
  let owed = new Set<string>();
  return {
    look: async (accounts) => {
      const nowMs = options.clock.wallMs();
      if (dayOf(nowMs) !== today) {
        today = dayOf(nowMs);
        told = new Set();
      }
      const asked = new Set([...accounts, ...owed]);
      owed = new Set(asked);
      for (const account of asked) {
        for (const spike of await findSpikes(options, account, nowMs)) {
          if (told.has(spike.id)) continue;
          if (await isMine(options, spike.id)) await options.tell(spike);
          told.add(spike.id);
        }
        owed.delete(account);
      }
    },
  };
}

const isMine = async ({ store, source }: SpikesOptions, id: string): Promise<boolean> => (await store.settle({ name: id, candidate: source })) === source;

async function findSpikes({ store, factor }: SpikesOptions, account: string, nowMs: number): Promise<readonly UsageSpike[]> {
  const day = dayOf(nowMs);
  const days = await store.readUsage({ account, from: day - 1, to: day });
  const of = (wanted: Day, measure: SpikeMeasure): number => days.find((each: UsageDay) => each.day === wanted)?.[measure] ?? 0;
  return spikeMeasures.flatMap((measure) => {
    const [now, before] = [of(day, measure), of(day - 1, measure)];
    if (now <= factor * Math.max(before, dayBeforeMin)) return [];
    const data = { date: dateOf(day), measure, today: now, day_before: before, factor };
    return [{ id: `usage.spike-${account}-${dateOf(day)}-${measure}`, type: 'usage.spike', account, at: new Date(nowMs).toISOString(), data } as const];
  });
}
