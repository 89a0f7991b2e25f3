/**
 * Registrations that are known to be as they are: an identical one is answered from here and touches neither store nor queue. Whoever changes or deletes a device tells everybody; where that news is
 * lost, and at another node, what is remembered is good for as long as a lost poke may take.
 */
import type { Clock } from '#system/clock.ts';
import { matchesDigest } from '#system/protocol/secrets.ts';
import { type DeviceRef, type DeviceRow, deviceKey } from '#system/store/store.ts';

export type KnownRegistrations = {
  /** Before the row is read: what comes between makes `learn` do nothing. */
  readonly begin: (ref: DeviceRef, text: string) => (row: DeviceRow) => void;
  /** True: registered exactly so, and the caller may know. */
  readonly isKnown: (
    asked: DeviceRef & { readonly secret: string | undefined; readonly trusted: boolean; readonly user: string | undefined; readonly text: string },
  ) => boolean;
  readonly forget: (refs: readonly DeviceRef[]) => void;
};

type Known = { readonly secretDigest: string; readonly user: string | undefined; readonly text: string; readonly untilMs: number };

const knownMax = 100_000;

export function createKnownRegistrations({ clock, goodForMs }: { readonly clock: Clock; readonly goodForMs: number }): KnownRegistrations {
  const known = new Map<string, Known>();
  /** The youngest reading of each; gone where its device was changed since. */
  const readings = new Map<string, symbol>();
  return {
    begin: (ref, text) => {
      const key = deviceKey(ref);
      const reading = Symbol('reading');
      if (readings.size >= knownMax) readings.clear();
      readings.set(key, reading);
      return (row) => {
        if (readings.get(key) !== reading || row.deleted) return;
        readings.delete(key);
        if (known.size >= knownMax) known.clear();
        known.set(key, { secretDigest: row.secretDigest, user: row.user, text, untilMs: clock.monotonicMs() + goodForMs });
      };
    },
    isKnown: ({ secret, trusted, user, text, ...ref }) => {
      const found = known.get(deviceKey(ref));
      if (found === undefined || found.untilMs <= clock.monotonicMs()) return false;
      if (found.text !== text || (user !== undefined && user !== found.user)) return false;
      return trusted || (secret !== undefined && matchesDigest(secret, found.secretDigest));
    },
    forget: (refs) => {
      for (const ref of refs) {
        known.delete(deviceKey(ref));
        readings.delete(deviceKey(ref));
      }
    },
  };
}
