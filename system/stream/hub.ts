/** All streams of one process: opening, telling, ending. */
import type { Socket } from 'node:net';
import type { Frame } from '#system/protocol/frames.ts';
import { encodeFrame } from './encode.ts';
import type { HubOptions, Kit, News, Opening, StreamCounts } from './kit.ts';
import { closingMs, forget, nextDue, push, retryMsMax, sayBye, tick, touch } from './life.ts';
import { replay, restart } from './replay.ts';
import { createStates } from './states.ts';
import { filterOf, type Subscriber } from './subscriber.ts';
import { createTopics, type Topics } from './topics.ts';
import { createWheel } from './wheel.ts';

export type { Opening, StreamSettings } from './kit.ts';

export type Hub = {
  readonly open: (opening: Opening) => void;
  readonly wait: Topics['wait'];
  readonly news: (news: News) => void;
  readonly held: () => number;
  readonly heldBy: (account: string) => number;
  readonly counts: StreamCounts;
  /** Says goodbye to everybody, spread over the window; resolves when nobody is left. */
  readonly drain: (windowMs: number) => Promise<void>;
  readonly isDraining: () => boolean;
  readonly close: () => void;
};

const tickMs = 50;
const wheelBuckets = 1024;
/** So that one lost touch turns nobody offline. */
const touchesPerTimeout = 3;

const subscriberKey = Symbol('subscriber');
type StreamSocket = Socket & { [subscriberKey]?: Subscriber };

export function createHub(options: HubOptions): Hub {
  const { clock, settings } = options;
  const kit: Kit = {
    ...options,
    random: settings.random ?? Math.random,
    wheel: createWheel<Subscriber>({ tickMs, buckets: wheelBuckets, startMs: clock.monotonicMs() }),
    counts: { opened: 0, frames: 0, heartbeats: 0, bytes: 0, catchUps: 0, ended: {} },
    subscribers: new Set(),
    byAccount: new Map(),
    topics: () => topics,
    states: createStates({ ...options, push: (subscriber, bytes, frames) => push(kit, subscriber, bytes, frames) }),
    emptied: { notify: () => undefined },
  };
  const topics: Topics = createTopics({
    store: options.store,
    push: (subscriber, bytes, frames) => push(kit, subscriber, bytes, frames),
    restart: (subscriber, page, reason) => restart(kit, subscriber, page, reason),
    onTrouble: options.onTrouble,
  });
  const listeners = socketListeners(kit);
  let draining = false;
  const ticking = setInterval(() => void tick(kit), tickMs).unref();
  const touching = setInterval(() => void touch(kit, kit.subscribers).catch(options.onTrouble), settings.presenceTimeoutMs / touchesPerTimeout).unref();
  const checking = setInterval(() => {
    topics.check().then((missed) => {
      kit.counts.catchUps += missed;
    }, options.onTrouble);
  }, settings.positionCheckMs).unref();
  return {
    open: (opening) => open(kit, opening, listeners),
    wait: topics.wait,
    news: (news) => (news.kind === 'poke' ? topics.poke(news.keys) : kit.states.news(news.devices)),
    held: () => kit.subscribers.size,
    heldBy: (account) => kit.byAccount.get(account) ?? 0,
    counts: kit.counts,
    isDraining: () => draining,
    drain: async (windowMs) => {
      draining = true;
      topics.wakeWaiters();
      if (kit.subscribers.size === 0) return;
      const nowMs = clock.monotonicMs();
      for (const subscriber of kit.subscribers) {
        subscriber.endCode = 'drain';
        subscriber.endRetryMs = Math.round(kit.random() * windowMs);
        subscriber.endsAtMs = nowMs + kit.random() * windowMs;
        kit.wheel.place(subscriber, subscriber.endsAtMs);
      }
      await new Promise<void>((resolve) => {
        kit.emptied.notify = resolve;
        setTimeout(resolve, windowMs + 2 * closingMs);
      });
      for (const { socket } of kit.subscribers) socket.destroy();
    },
    close: () => {
      clearInterval(ticking);
      clearInterval(checking);
      clearInterval(touching);
      for (const { socket } of kit.subscribers) socket.destroy();
    },
  };
}

type Listeners = {
  readonly close: (this: StreamSocket) => void;
  readonly drain: (this: StreamSocket) => void;
  readonly end: (this: StreamSocket) => void;
  readonly error: () => void;
};

/** The same functions for every socket. */
function socketListeners(kit: Kit): Listeners {
  return {
    close() {
      const subscriber = this[subscriberKey];
      if (subscriber !== undefined) forget(kit, subscriber);
    },
    drain() {
      const subscriber = this[subscriberKey];
      if (subscriber === undefined) return;
      subscriber.undrainedSinceMs = 0;
      subscriber.onDrain?.();
      kit.states.drained(subscriber);
    },
    end() {
      this.destroy();
    },
    error: () => undefined,
  };
}

function open(kit: Kit, opening: Opening, listeners: Listeners): void {
  const { clock, settings, random } = kit;
  const nowMs = clock.monotonicMs();
  const ageMs = Math.round(settings.ageMs * (1 + random()));
  const { socket, first, format } = opening;
  const subscriber: Subscriber = {
    bucket: -1,
    state: 'replaying',
    socket,
    format,
    account: opening.account,
    log: opening.log,
    filter: filterOf(opening.channels),
    epoch: first?.epoch ?? '',
    position: '',
    heartbeatMs: opening.heartbeatMs,
    lastWriteMs: nowMs,
    endsAtMs: nowMs + ageMs,
    endCode: 'age',
    endRetryMs: 0,
    expiresAtMs: opening.expiresAtMs === undefined ? Number.POSITIVE_INFINITY : nowMs + opening.expiresAtMs - clock.wallMs(),
    undrainedSinceMs: 0,
    onDrain: undefined,
    watching: opening.watching,
    device: opening.device,
  };
  (socket as StreamSocket)[subscriberKey] = subscriber;
  socket.on('close', listeners.close).on('drain', listeners.drain).on('end', listeners.end).on('error', listeners.error);
  kit.subscribers.add(subscriber);
  kit.byAccount.set(opening.account, (kit.byAccount.get(opening.account) ?? 0) + 1);
  kit.counts.opened++;
  if (socket.destroyed) return forget(kit, subscriber);
  const { from, resumed, connectionId: cid, heartbeatMs: hb } = opening;
  const hello: Frame = {
    t: 'hello',
    v: 1,
    cid,
    ...(first === undefined || from === undefined ? {} : { epoch: first.epoch, from }),
    resumed,
    hb,
    age: ageMs,
    ack: kit.store.ackLevel,
  };
  const retryMs = 1000 + Math.round(random() * retryMsMax);
  socket.cork();
  socket.write(opening.headers, 'latin1');
  push(kit, subscriber, encodeFrame(format, hello, retryMs), 1);
  const going = subscriber.watching === undefined ? replay(kit, subscriber, first) : kit.states.watch(subscriber).then(() => replay(kit, subscriber, first));
  socket.uncork();
  if (subscriber.device !== undefined) void touch(kit, [subscriber]).catch(kit.onTrouble);
  kit.wheel.place(subscriber, nextDue(kit, subscriber));
  going?.catch((error: unknown) => {
    kit.onTrouble(error);
    sayBye(kit, subscriber, 'error');
  });
}
