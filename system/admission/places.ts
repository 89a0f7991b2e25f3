/** How many requests are in work, by lane. */
import { type Lane, type LaneName, laneNames } from './lanes.ts';

export type Places = {
  /** True: the request has a place, to be left once. */
  readonly take: (lane: Lane) => boolean;
  readonly leave: (lane: Lane) => void;
  readonly taken: () => Readonly<Record<LaneName, number>>;
};

export function createPlaces(placesMax: number): Places {
  const taken = Object.fromEntries(laneNames.map((name) => [name, 0])) as Record<LaneName, number>;
  let all = 0;
  return {
    taken: () => taken,
    take: ({ name, sharePercent, ceilingPercent }) => {
      const isOwn = taken[name] * 100 < sharePercent * placesMax;
      if (!isOwn && all * 100 >= ceilingPercent * placesMax) return false;
      taken[name]++;
      // Health has places of its own: it is nobody's competitor.
      if (name !== 'health') all++;
      return true;
    },
    leave: ({ name }) => {
      taken[name]--;
      if (name !== 'health') all--;
    },
  };
}
