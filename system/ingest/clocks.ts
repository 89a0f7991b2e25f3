/** Notices devices whose clock is another one than it was: when a batch says it was sent, against when it came. Behind the acknowledgement. */
import type { Clock } from '#system/clock.ts';
import { type DeviceRef, deviceKey, type Store } from '#system/store/store.ts';

export type Clocks = {
  /** Resolves when it is noticed; never rejects. */
  readonly compare: (device: DeviceRef, sentAtMs: number) => Promise<void>;
};

type Needs = {
  readonly store: Pick<Store, 'noteClock' | 'readClock'>;
  readonly clock: Clock;
  readonly toleranceMs: number;
  readonly onTrouble: (error: unknown) => void;
};

/** Bounds what a worker remembers; one that was forgotten is read again. */
const rememberedMax = 10_000;

export function createClocks({ store, clock, toleranceMs, onTrouble }: Needs): Clocks {
  const remembered = new Map<string, number>();
  const known = async (device: DeviceRef, key: string): Promise<number> => remembered.get(key) ?? (await store.readClock(device))?.offsetMs ?? 0;
  return {
    compare: async (device, sentAtMs) => {
      const nowMs = clock.wallMs();
      const offsetMs = nowMs - sentAtMs;
      const key = deviceKey(device);
      try {
        const before = await known(device, key);
        const differs = Math.abs(offsetMs - before) > toleranceMs;
        if (differs) await store.noteClock({ ...device, offsetMs, toleranceMs, nowMs });
        if (remembered.size >= rememberedMax) remembered.clear();
        // Where it differs another worker may have noticed it already: what is stored is looked up once more.
        if (differs) remembered.delete(key);
        else remembered.set(key, before);
      } catch (error) {
        onTrouble(error);
      }
    },
  };
}
