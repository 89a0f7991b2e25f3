/** Which devices this process knows to be marked active. A mark that is committed stays for its day, so a known one needs no look into the table. */
import type { OrderedTable } from '#system/store/ordered-changes.ts';
import { markActive } from '#system/store/ordered-usage.ts';
import { type Day, type DeviceRef, deviceKey } from '#system/store/store.ts';

export type Marks = {
  /** Inside the write transaction. True where it is the device's first sign of that day. */
  readonly note: (table: OrderedTable, day: Day, device: DeviceRef) => boolean;
  readonly afterCommit: () => void;
  readonly rollBack: () => void;
};

/** Beyond it all are forgotten and looked up again: some 10 MB. */
const knownMax = 100_000;

export function createMarks(): Marks {
  const known = new Map<string, Day>();
  let noted: (readonly [string, Day])[] = [];
  return {
    note: (table, day, ref) => {
      const name = deviceKey(ref);
      if (known.get(name) === day) return false;
      noted.push([name, day]);
      return markActive(table, day, ref);
    },
    afterCommit: () => {
      if (known.size + noted.length > knownMax) known.clear();
      for (const [name, day] of noted) known.set(name, day);
      noted = [];
    },
    rollBack: () => {
      noted = [];
    },
  };
}
