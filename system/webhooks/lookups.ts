/**
 * The machine's own lookups run on libuv's threads, two at a time in the whole process, and one that hangs cannot be ended. So all names that
 * are not known to be quick share one of the two, and the other is left to those that are: one account's slow names must not delay everybody.
 */
import type { Resolve } from './resolve.ts';

export type LookupBounds = {
  /** Of a lookup with its wait; after it the name is given up. */
  readonly timeoutMs: number;
  /** A name whose last lookup took no longer waits for nobody. */
  readonly quickMsMax: number;
  readonly monotonicMs: () => number;
};

type Lookup = PromiseWithResolvers<readonly string[]> & { readonly host: string };

/** Beyond it all are forgotten, and new again. */
const namesKeptMax = 10_000;

/** A name is looked up once at a time, for all who ask; while a lookup that was given up still hangs, its name is refused at once. */
export function boundLookups(ask: Resolve, { timeoutMs, quickMsMax, monotonicMs }: LookupBounds): Resolve {
  const lookups = new Map<string, Lookup>();
  const paces = new Map<string, 'quick' | 'slow'>();
  const waiting = new Set<Lookup>();
  let isTaken = false;

  const run = async ({ host, resolve, reject }: Lookup): Promise<void> => {
    const startedMs = monotonicMs();
    const tell = await ask(host).then(
      (addresses) => () => resolve(addresses),
      (error: unknown) => () => reject(error),
    );
    if (paces.size >= namesKeptMax) paces.clear();
    paces.set(host, monotonicMs() - startedMs <= quickMsMax ? 'quick' : 'slow');
    lookups.delete(host);
    tell();
  };
  const runNext = async (): Promise<void> => {
    // Those that were slow come last: else whoever has many of them would keep out what is new.
    const next = [...waiting].find(({ host }) => !paces.has(host)) ?? waiting.values().next().value;
    if (isTaken || next === undefined) return;
    waiting.delete(next);
    isTaken = true;
    await run(next);
    isTaken = false;
    void runNext();
  };
  const giveUp = (lookup: Lookup): void => {
    if (waiting.delete(lookup)) lookups.delete(lookup.host);
    lookup.reject(new Error(`${lookup.host} was not looked up within ${timeoutMs} ms`));
  };
  const begin = (host: string): Lookup => {
    const lookup = { ...Promise.withResolvers<readonly string[]>(), host };
    lookups.set(host, lookup);
    const timer = setTimeout(() => giveUp(lookup), timeoutMs);
    const stop = (): void => clearTimeout(timer);
    lookup.promise.then(stop, stop);
    if (paces.get(host) === 'quick') void run(lookup);
    else {
      waiting.add(lookup);
      void runNext();
    }
    return lookup;
  };
  return (host) => (lookups.get(host) ?? begin(host)).promise;
}
