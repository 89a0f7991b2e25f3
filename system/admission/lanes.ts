/** The lanes and what each may have. Ranks, shares and ceilings are data, so that they can be published and read on one screen. */

export type LaneName = 'health' | 'ingest' | 'stream' | 'token' | 'sync' | 'read' | 'registration' | 'export';

export type Lane = {
  readonly name: LaneName;
  /** Of the places, kept for it. */
  readonly sharePercent: number;
  /** It borrows while fewer places than this are taken in all. */
  readonly ceilingPercent: number;
  /** The pressure beyond which it is shed; 1 is what the settings name. */
  readonly endures: number;
  /** Of the loop's delay and of what ingest waits; infinite: those never shed it. */
  readonly enduresDelay: number;
  /** For its turn, before it is refused; 0: it never waits. */
  readonly waitsMs: number;
};

/** Highest first. At 80 ms of delay, the default, reads are shed from 400 ms, tokens from 640, new streams from 1.3 s. */
export const lanes: readonly Lane[] = [
  { name: 'health', sharePercent: 100, ceilingPercent: 100, endures: Number.POSITIVE_INFINITY, enduresDelay: Number.POSITIVE_INFINITY, waitsMs: 0 },
  { name: 'ingest', sharePercent: 40, ceilingPercent: 100, endures: 20, enduresDelay: Number.POSITIVE_INFINITY, waitsMs: 2000 },
  { name: 'stream', sharePercent: 15, ceilingPercent: 95, endures: 16, enduresDelay: 16, waitsMs: 1000 },
  { name: 'token', sharePercent: 10, ceilingPercent: 90, endures: 8, enduresDelay: 8, waitsMs: 1000 },
  { name: 'sync', sharePercent: 10, ceilingPercent: 85, endures: 6, enduresDelay: 6, waitsMs: 500 },
  { name: 'read', sharePercent: 10, ceilingPercent: 80, endures: 5, enduresDelay: 5, waitsMs: 500 },
  { name: 'registration', sharePercent: 5, ceilingPercent: 60, endures: 1.25, enduresDelay: 1.25, waitsMs: 250 },
  { name: 'export', sharePercent: 2, ceilingPercent: 50, endures: 1, enduresDelay: 1, waitsMs: 250 },
];

const byName: ReadonlyMap<string, Lane> = new Map(lanes.map((lane) => [lane.name, lane]));
const unknown = byName.get('read') as Lane;

export const laneOf = (name: string | undefined): Lane => byName.get(name ?? '') ?? unknown;
export const laneNames: readonly LaneName[] = lanes.map(({ name }) => name);
