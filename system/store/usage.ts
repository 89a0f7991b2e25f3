/**
 * What an account used, by UTC day. Events, registrations and active devices are counted by the commands that make them, in their own
 * transaction. What a process counts in its memory it writes as its own total of the day, so that writing it again changes nothing.
 */

/** Days since 1970-01-01, UTC. */
export type Day = number;
export const dayMs = 86_400_000;
export const dayOf = (atMs: number): Day => Math.floor(atMs / dayMs);

export type UsageDay = {
  readonly day: Day;
  /** Accepted for the first time. */
  readonly events: number;
  /** That made or changed a device. */
  readonly registrations: number;
  readonly calls: number;
  readonly streamMs: number;
  /** With an accepted event of that day. */
  readonly activeDevices: number;
};

export type Metered = {
  readonly account: string;
  readonly day: Day;
  /** One process's name, never used again. */
  readonly source: string;
  readonly calls: number;
  readonly streamMs: number;
};

export type UsageStore = {
  readonly putMetered: (metered: Metered) => Promise<void>;
  /** Both days inclusive; days without any use are left out. */
  readonly readUsage: (query: { readonly account: string; readonly from: Day; readonly to: Day }) => Promise<readonly UsageDay[]>;
};

/** Older days are forgotten. */
export const usageDaysMax = 400;
