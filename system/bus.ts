/** How news travels between those who change and those who listen: at most once, without data. What is lost is found by a position check. */
import type { LogKey } from './store/store.ts';

export type Bus = {
  /** To everybody who listens, in this process and in the others. */
  readonly poke: (keys: readonly LogKey[]) => void;
  readonly onPoke: (listener: (keys: readonly LogKey[]) => void) => void;
};

export type RelayedBus = Bus & { /** What came from another process. */ readonly receive: (keys: readonly LogKey[]) => void };

/** `relay` takes pokes to other processes, gathered for a turn of the event loop. */
export function createBus(relay: (keys: readonly LogKey[]) => void = () => undefined): RelayedBus {
  const listeners: ((keys: readonly LogKey[]) => void)[] = [];
  let waiting: LogKey[] = [];
  const receive = (keys: readonly LogKey[]): void => {
    for (const listener of listeners) listener(keys);
  };
  return {
    receive,
    onPoke: (listener) => void listeners.push(listener),
    poke: (keys) => {
      receive(keys);
      if (waiting.length === 0)
        setImmediate(() => {
          const gathered = waiting;
          waiting = [];
          relay(gathered);
        });
      waiting.push(...keys);
    },
  };
}
