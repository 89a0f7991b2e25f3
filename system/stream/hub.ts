/** All streams of one process: opening, telling, ending. */
import type { Writable } from 'node:stream';
import type { Frame } from '#system/protocol/frames.ts';
import { deviceKey, type TokenEnd } from '#system/store/store.ts';
import { encodeFrame, type Form } from './encode.ts';
import type { HubOptions, Kit, News, Opening, StreamCounts } from './kit.ts';
import { closingMs, forget, goodbye, nextDue, push, retryMsMax, sayBye, tick } from './life.ts';
import { replay, restart } from './replay.ts';
import { tellEnds, touch } from './signs.ts';
import { createStates } from './states.ts';
import { filterOf, type Subscriber } from './subscriber.ts';
import { createTopics, type Topics, turn } from './topics.ts';
import { createWheel } from './wheel.ts';

export type { Opening, StreamSettings } from './kit.ts';

export type Hub = {
  readonly open: (opening: Opening) => void;
  readonly wait: Topics['wait'];
  readonly news: (news: News) => void;
  /** Ends the streams of these devices' own tokens, a tick later at the latest. */
  readonly kick: (ended: readonly TokenEnd[]) => void;
  readonly held: () => number;
  readonly counts: StreamCounts;
  /**
   * Says goodbye to everybody, spread over the window, and resolves when nobody is left. They are
   * asked to come back within `retryMsMax`, where others listen; without it nobody does, and an
   * EventSource is kept away until the window is over.
   */
  readonly drain: (spread: { readonly windowMs: number; readonly retryMsMax?: number }) => Promise<void>;
  readonly isDraining: () => boolean;
  /** The body for whoever opens an event stream here during a drain. */
  readonly goodbye: (form: Form) => Buffer;
  readonly close: () => Promise<void>;
};

const tickMs = 50;
const wheelBuckets = 1024;
/** So that one lost touch turns nobody offline. */
const touchesPerTimeout = 3;

const subscriberKey = Symbol('subscriber');
type StreamSocket = Writable & { [subscriberKey]?: Subscriber };

export function createHub(options: HubOptions): Hub {
  const { clock, settings } = options;
  const kit: Kit = {
    ...options,
    random: settings.random ?? Math.random,
    wheel: createWheel<Subscriber>({ tickMs, buckets: wheelBuckets, startMs: clock.monotonicMs() }),
    counts: { opened: 0, frames: 0, heartbeats: 0, bytes: 0, catchUps: 0, ended: {} },
    subscribers: new Set(),
    topics: () => topics,
    states: createStates({ ...options, push: (subscriber, bytes, frames) => push(kit, subscriber, bytes, frames) }),
    emptied: { notify: () => undefined },
    endSigns: new Map(),
    kicked: new Map(),
    drain: undefined,
  };
  const topics: Topics = createTopics({
    store: options.store,
    push: (subscriber, bytes, frames) => push(kit, subscriber, bytes, frames),
    restart: (subscriber, page, reason) => restart(kit, subscriber, page, reason),
    onTrouble: options.onTrouble,
  });
  const listeners = socketListeners(kit);
  const ticking = setInterval(() => void tick(kit).catch(options.onTrouble), tickMs).unref();
  const touching = setInterval(() => void touch(kit, kit.subscribers).catch(options.onTrouble), settings.presenceTimeoutMs / touchesPerTimeout).unref();
  const checking = setInterval(() => {
    topics.check().then((missed) => {
      kit.counts.catchUps += missed;
    }, options.onTrouble);
  }, settings.positionCheckMs).unref();
  return {
    open: (opening) => open(kit, opening, listeners),
    wait: topics.wait,
    news: (news) => {
      if (news.kind === 'poke') topics.poke(news.keys);
      else if (news.kind === 'devices') kit.states.news(news.devices);
      else if (news.kind === 'lost') kit.states.tellAgain();
    },
    kick: (ended) => {
      for (const end of ended) kit.kicked.set(deviceKey(end), Math.max(end.generation, kit.kicked.get(deviceKey(end)) ?? 0));
    },
    held: () => kit.subscribers.size,
    counts: kit.counts,
    isDraining: () => kit.drain !== undefined,
    goodbye: (form) => goodbye(kit, form),
    drain: async ({ windowMs, retryMsMax }) => {
      const nowMs = clock.monotonicMs();
      kit.drain = {
        endsAtMs: nowMs + windowMs,
        retryMsMax: retryMsMax ?? windowMs,
        othersListen: retryMsMax !== undefined,
      };
      topics.wakeWaiters();
      if (kit.subscribers.size === 0) return;
      for (const subscriber of kit.subscribers) {
        Object.assign(subscriber, endOf(kit, nowMs));
        kit.wheel.place(subscriber, subscriber.endsAtMs);
      }
      await new Promise<void>((resolve) => {
        const latest = setTimeout(resolve, windowMs + 2 * closingMs);
        kit.emptied.notify = () => {
          clearTimeout(latest);
          resolve();
        };
      });
      for (const { socket } of kit.subscribers) socket.destroy();
    },
    close: async () => {
      clearInterval(ticking);
      clearInterval(checking);
      clearInterval(touching);
      for (const { socket } of kit.subscribers) socket.destroy();
      // Their sockets say that they are closed.
      await turn();
      await tellEnds(kit).catch(options.onTrouble);
    },
  };
}

/** Who comes while the others are being told is told within what is left of their window. */
function endOf({ settings, random, drain }: Kit, nowMs: number): Pick<Subscriber, 'endsAtMs' | 'endCode' | 'endRetryMs'> {
  if (drain === undefined) return { endsAtMs: nowMs + Math.round(settings.ageMs * (1 + random())), endCode: 'age', endRetryMs: 0 };
  const endRetryMs = Math.round(random() * drain.retryMsMax);
  return { endsAtMs: nowMs + random() * Math.max(0, drain.endsAtMs - nowMs), endCode: 'drain', endRetryMs };
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
  const { clock, random } = kit;
  const nowMs = clock.monotonicMs();
  const end = endOf(kit, nowMs);
  const { socket, first, form } = opening;
  const subscriber: Subscriber = {
    bucket: -1,
    state: 'replaying',
    socket,
    form,
    account: opening.account,
    log: opening.log,
    filter: filterOf(opening.channels),
    epoch: first?.epoch ?? '',
    position: '',
    heartbeatMs: opening.heartbeatMs,
    lastWriteMs: nowMs,
    ...end,
    expiresAtMs: opening.expiresAtMs === undefined ? Number.POSITIVE_INFINITY : nowMs + opening.expiresAtMs - clock.wallMs(),
    undrainedSinceMs: 0,
    onDrain: undefined,
    watching: opening.watching,
    device: opening.device,
    generation: opening.generation,
    onEnded: opening.onEnded,
  };
  (socket as StreamSocket)[subscriberKey] = subscriber;
  socket.on('close', listeners.close).on('drain', listeners.drain).on('end', listeners.end).on('error', listeners.error);
  kit.subscribers.add(subscriber);
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
    age: Math.round(end.endsAtMs - nowMs),
    ack: kit.store.ackLevel,
  };
  const retryMs = 1000 + Math.round(random() * retryMsMax);
  socket.cork();
  socket.write(opening.headers, 'latin1');
  push(kit, subscriber, encodeFrame(form, hello, retryMs), 1);
  const going = subscriber.watching === undefined ? replay(kit, subscriber, first) : kit.states.watch(subscriber).then(() => replay(kit, subscriber, first));
  socket.uncork();
  if (subscriber.device !== undefined) void touch(kit, [subscriber]).catch(kit.onTrouble);
  kit.wheel.place(subscriber, nextDue(kit, subscriber));
  going?.catch((error: unknown) => {
    kit.onTrouble(error);
    sayBye(kit, subscriber, 'error');
  });
}
