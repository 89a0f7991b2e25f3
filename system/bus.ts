/** How news travels between those who change and those who listen: at most once, without data. What is lost is found by a position check. */
import type { DeviceRef, LogKey, TokenEnd } from './store/store.ts';
import type { News } from './stream/kit.ts';

export type { News };

export type Bus = {
  /** To everybody who listens, in this process and in the others. */
  readonly poke: (keys: readonly LogKey[]) => void;
  readonly tellDevices: (devices: readonly DeviceRef[]) => void;
  readonly tellEndedTokens: (ended: readonly TokenEnd[]) => void;
  /** To the other processes only. */
  readonly tellRegistrations: (devices: readonly DeviceRef[]) => void;
  readonly onNews: (listener: (news: News) => void) => void;
  /** Of whose devices somebody here wants to hear: nobody is told of the others. Resolves once no news of them is missed any more, whoever has it. */
  readonly watch: (accounts: readonly string[]) => Promise<void>;
};

export type RelayedBus = Bus & {
  /** What came from another process. */
  readonly receive: (news: News) => void;
  /** What another process wants to hear of. */
  readonly receiveWatch: (process: number, accounts: readonly string[]) => void;
  /** The same of all others, once this process can hear: until then it tells everything. */
  readonly receiveWatches: (all: readonly Watch[]) => void;
};

/** Of a process, by its number. */
export type Watch = readonly [process: number, accounts: readonly string[]];
/** `watch` resolves once all others know. */
export type Relay = { readonly news: (news: News) => void; readonly watch: (accounts: readonly string[]) => Promise<void> };
export const noRelay: Relay = { news: () => undefined, watch: async () => undefined };

/** `relay` takes news to other processes, pokes gathered for a turn of the event loop. */
export function createBus(relay: Relay = noRelay): RelayedBus {
  const listeners: ((news: News) => void)[] = [];
  const watchers = new Map<number, ReadonlySet<string>>();
  let knowsWatchers = false;
  let own: ReadonlySet<string> = new Set();
  let waiting: LogKey[] = [];
  const receive = (news: News): void => {
    for (const listener of listeners) listener(news);
  };
  return {
    receive,
    receiveWatch: (process, accounts) => void watchers.set(process, new Set(accounts)),
    receiveWatches: (all) => {
      for (const [process, accounts] of all) watchers.set(process, new Set(accounts));
      knowsWatchers = true;
    },
    onNews: (listener) => void listeners.push(listener),
    watch: (accounts) => {
      own = new Set(accounts);
      return relay.watch(accounts);
    },
    tellDevices: (all) => {
      const mine = all.filter(({ account }) => own.has(account));
      if (mine.length > 0) receive({ kind: 'devices', devices: mine });
      const others = knowsWatchers ? all.filter(({ account }) => [...watchers.values()].some((accounts) => accounts.has(account))) : all;
      if (others.length > 0) relay.news({ kind: 'devices', devices: others });
    },
    tellRegistrations: (devices) => relay.news({ kind: 'registrations', devices }),
    tellEndedTokens: (ended) => {
      receive({ kind: 'ended-tokens', ended });
      relay.news({ kind: 'ended-tokens', ended });
    },
    poke: (keys) => {
      receive({ kind: 'poke', keys });
      if (waiting.length === 0)
        setImmediate(() => {
          const gathered = waiting;
          waiting = [];
          relay.news({ kind: 'poke', keys: gathered });
        });
      waiting.push(...keys);
    },
  };
}
