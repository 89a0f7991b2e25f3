/** How a worker ends: with its node, or alone while others go on. What is in flight is answered, streams get their bye, and the store is closed last. */
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Store } from '#system/store/store.ts';
import type { Doors } from './doors.ts';

export type Phase = {
  /** The node goes: not ready any more, and no new streams. */
  draining: boolean;
  /** Every answer says `Connection: close`. */
  closing: boolean;
};

export type EndingOptions = {
  readonly app: FastifyInstance;
  readonly adminApp: FastifyInstance;
  readonly doors: readonly Doors[];
  /** Stopped before the store is closed. */
  readonly loops: readonly { readonly stop: () => Promise<void> }[];
  readonly store: Store;
  readonly phase: Phase;
  readonly windowMs: number;
};

export type Ending = {
  /** The whole node goes. */
  readonly drain: () => Promise<void>;
  /** Others of this node go on: whoever comes is theirs, and who is here is sent to them. */
  readonly leave: () => Promise<void>;
};

// Long enough for a busy client to see `Connection: close` on its next answer before idle connections are cut.
const announceMs = 300;
// The shared socket is closed by the supervisor once the last worker has let go of it.
const socketClosesMs = 200;
const lookEveryMs = 20;
/** The others are there already: only so much that those of one tick do not come back in one. */
const leaveRetryMsMax = 1000;

/** Whichever is asked first is what happens. */
export function createEnding(options: EndingOptions): Ending {
  let ending: Promise<void> | undefined;
  return {
    drain: () => {
      ending ??= drain(options);
      return ending;
    },
    leave: () => {
      ending ??= leave(options);
      return ending;
    },
  };
}

async function drain(options: EndingOptions): Promise<void> {
  const { app, doors, phase, windowMs } = options;
  phase.draining = true;
  await app.hub.drain({ windowMs });
  // First nobody new, while connections that are there go on: telling a client to reconnect before the shared socket is closed
  // would lead it into an accept queue that is reset.
  for (const { shut } of doors) shut();
  await pause(socketClosesMs);
  phase.closing = true;
  await pause(announceMs);
  await end(options);
}

async function leave(options: EndingOptions): Promise<void> {
  const { app, doors, phase, windowMs } = options;
  // What waits in the shared socket's queue is taken by the others.
  for (const { shut } of doors) shut();
  phase.closing = true;
  // An idle connection has the same window to be used once more and be told: closing it at once would cut a request on its way.
  await Promise.all([app.hub.drain({ windowMs, retryMsMax: leaveRetryMsMax }), nobodyLeft(doors, windowMs)]);
  await end(options);
}

async function end({ app, adminApp, doors, loops, store }: EndingOptions): Promise<void> {
  const stop = new AbortController();
  // What is idle is the HTTP server's to close.
  app.front.stepAside();
  const closing = closeIdle([app, adminApp], stop.signal);
  await nobodyLeft(doors, Number.POSITIVE_INFINITY);
  stop.abort();
  await closing;
  await Promise.all(loops.map((loop) => loop.stop()));
  await Promise.all([app.close(), adminApp.close()]);
  // The pipeline ends with the store, between two steps, and gives its partitions back.
  await store.close();
}

/** Again and again, since a connection that is answered now is idle for a moment even where the client was told. */
async function closeIdle(apps: readonly FastifyInstance[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // Right behind the loop's reading: what had come by then is no idle connection any more.
    await new Promise((resolve) => setImmediate(resolve));
    for (const { server } of apps) server.closeIdleConnections();
    await pause(lookEveryMs);
  }
}

async function nobodyLeft(doors: readonly Doors[], withinMs: number): Promise<void> {
  const endMs = performance.now() + withinMs;
  const left = async (): Promise<number> => (await Promise.all(doors.map(({ connections }) => connections()))).reduce((sum, count) => sum + count, 0);
  while (performance.now() < endMs && (await left()) > 0) await pause(lookEveryMs);
}
