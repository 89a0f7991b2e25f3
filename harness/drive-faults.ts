/** What a scenario does to the service while it is under load, at its instants, and how it went. */
import { messageOf } from '#harness/message-of.ts';
import type { FaultRecord } from '#harness/run-result.ts';
import type { Fault } from '#harness/scenario.ts';

export type FaultsInput = {
  readonly faults: readonly Fault[];
  readonly act: (fault: Fault) => Promise<void>;
  readonly sinceOriginMs: () => number;
};

export type Faults = {
  /** Sets the phase's faults to their instants. */
  readonly phase: (name: string, startMs: number) => void;
  /** Waits for those that have begun; what has not begun never will. */
  readonly finish: () => Promise<readonly FaultRecord[]>;
};

export function createFaults({ faults, act, sinceOriginMs }: FaultsInput): Faults {
  const records: FaultRecord[] = [];
  const timers: NodeJS.Timeout[] = [];
  const acting: Promise<void>[] = [];
  const perform = async (fault: Fault): Promise<void> => {
    const startSeconds = sinceOriginMs() / 1000;
    const trouble = await act(fault).then(() => undefined, messageOf);
    const record = { kind: fault.kind, phase: fault.phase, startSeconds, endSeconds: sinceOriginMs() / 1000 };
    records.push(trouble === undefined ? record : { ...record, trouble });
  };
  return {
    phase: (name, startMs) => {
      for (const fault of faults.filter((one) => one.phase === name)) {
        const inMs = startMs + fault.atSeconds * 1000 - sinceOriginMs();
        timers.push(setTimeout(() => acting.push(perform(fault)), Math.max(0, inMs)));
      }
    },
    finish: async () => {
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(acting);
      return records.toSorted((a, b) => a.startSeconds - b.startSeconds);
    },
  };
}
