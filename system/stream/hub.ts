/** All streams of one process: opening, telling, ending. */
import type { Socket } from 'node:net';
import type { Clock } from '#system/clock.ts';
import { snapshotPath } from '#system/protocol/channels.ts';
import { encodeCursor } from '#system/protocol/cursor.ts';
import type { ByeCode, Frame } from '#system/protocol/frames.ts';
import { limits } from '#system/protocol/limits.ts';
import { type ChangesPage, changesHead, type DeviceRef, type LogKey, type Store } from '#system/store/store.ts';
import { changeFrames, encodeFrame, type Format } from './encode.ts';
import { lastChunk } from './outlet.ts';
import { createStates, type States, type Watching } from './states.ts';
import { filterOf, type Subscriber } from './subscriber.ts';
import { createTopics, joinFrames, type Topics, turn, writesPerTurn } from './topics.ts';
import { createWheel, type Wheel } from './wheel.ts';

export type StreamSettings = {
  /** A stream lives for this long and at most as long again. */
  readonly ageMs: number;
  readonly positionCheckMs: number;
  /** A device whose own stream is open is online; this long after it ended it is not. */
  readonly presenceTimeoutMs: number;
  /** Of [0, 1); Math.random without it. */
  readonly random?: () => number;
};

export type Opening = {
  readonly socket: Socket;
  /** Status line and headers, as they go out. */
  readonly headers: string;
  readonly format: Format;
  readonly account: string;
  readonly log: LogKey | undefined;
  /** Log channels. */
  readonly channels: readonly string[];
  readonly watching: Watching | undefined;
  readonly device: string | undefined;
  /** What was read after the cursor; undefined without a log. */
  readonly first: Extract<ChangesPage, { kind: 'changes' }> | undefined;
  readonly from: string | undefined;
  readonly resumed: boolean;
  readonly connectionId: string;
  readonly heartbeatMs: number;
  /** By the wall clock. */
  readonly expiresAtMs: number | undefined;
};

/** Plain numbers: a counter of a frame must not cost more than the frame. */
export type StreamCounts = {
  opened: number;
  frames: number;
  heartbeats: number;
  bytes: number;
  /** Topics that a position check found behind. */
  catchUps: number;
  readonly ended: Record<string, number>;
};

/** As the bus brings it. */
export type StreamNews = { readonly kind: 'poke'; readonly keys: readonly LogKey[] } | { readonly kind: 'devices'; readonly devices: readonly DeviceRef[] };

export type Hub = {
  readonly open: (opening: Opening) => void;
  readonly wait: Topics['wait'];
  readonly news: (news: StreamNews) => void;
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
/** After bye: long enough to be read, short enough not to be held by who does not read. */
const closingMs = 1000;
const changesPerRead = 500;
const retryMsMax = 3000;
/** So that one lost touch turns nobody offline. */
const touchesPerTimeout = 3;
const noHash = '0'.repeat(16);

export type HubOptions = {
  readonly store: Store;
  readonly clock: Clock;
  readonly settings: StreamSettings;
  readonly onTrouble: (error: unknown) => void;
  /** Accounts whose devices somebody watches here. */
  readonly onWatch: (accounts: readonly string[]) => void;
  /** Devices that came online by their streams. */
  readonly onAppeared: (devices: readonly DeviceRef[]) => void;
};

type Kit = HubOptions & {
  readonly wheel: Wheel<Subscriber>;
  readonly counts: StreamCounts;
  readonly subscribers: Set<Subscriber>;
  readonly byAccount: Map<string, number>;
  readonly topics: () => Topics;
  readonly states: States;
  readonly random: () => number;
  readonly emptied: { notify: () => void };
};

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
  const touching = setInterval(() => void touchAll(kit).catch(options.onTrouble), settings.presenceTimeoutMs / touchesPerTimeout).unref();
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

async function touchAll(kit: Kit): Promise<void> {
  await touch(kit, [...kit.subscribers]);
}

async function touch({ store, clock, settings, onAppeared }: Kit, subscribers: readonly Subscriber[]): Promise<void> {
  const refs = subscribers.flatMap(({ account, device }) => (device === undefined ? [] : [{ account, device }]));
  const nowMs = clock.wallMs();
  const appeared = await Promise.all(refs.map((ref) => store.touch({ ...ref, nowMs, timeoutMs: settings.presenceTimeoutMs })));
  const news = refs.filter((_, i) => appeared[i]);
  if (news.length > 0) onAppeared(news);
}

/** Tells what lies between the cursor and the log's end, then joins the topic. Nothing to wait for where the first page is the last. */
function replay(kit: Kit, subscriber: Subscriber, first: Extract<ChangesPage, { kind: 'changes' }> | undefined): Promise<void> | undefined {
  const { log } = subscriber;
  if (subscriber.state !== 'replaying') return undefined;
  if (first === undefined || log === undefined) {
    subscriber.state = 'live';
    push(kit, subscriber, encodeFrame(subscriber.format, { t: 'sync', h: {} }), 1);
    return undefined;
  }
  tell(kit, subscriber, first, log);
  return first.atEnd && goLive(kit, subscriber, log, first) ? undefined : readOn(kit, subscriber, log);
}

async function readOn(kit: Kit, subscriber: Subscriber, log: LogKey): Promise<void> {
  while (subscriber.state === 'replaying') {
    if (subscriber.socket.writableNeedDrain) await drained(subscriber);
    const page = await kit.store.readChanges({ ...log, after: subscriber.position, limit: changesPerRead });
    if (subscriber.state !== 'replaying') return;
    if (page.kind !== 'changes' || page.epoch !== subscriber.epoch) {
      const anew = await kit.store.readChanges({ ...log, after: changesHead, limit: 1 });
      if (anew.kind === 'changes' && subscriber.state === 'replaying') restart(kit, subscriber, anew, page.kind === 'expired' ? 'compacted' : 'epoch');
      if (anew.kind === 'changes' && kit.topics().join(subscriber, log)) subscriber.state = 'live';
      continue;
    }
    tell(kit, subscriber, page, log);
    if (page.atEnd && goLive(kit, subscriber, log, page)) return;
  }
}

const drained = (subscriber: Subscriber): Promise<void> =>
  new Promise((resolve) => {
    subscriber.onDrain = () => {
      subscriber.onDrain = undefined;
      resolve();
    };
  });

function tell(kit: Kit, subscriber: Subscriber, page: Extract<ChangesPage, { kind: 'changes' }>, log: LogKey): void {
  const { bytes, count } = joinFrames(
    subscriber,
    page.changes.filter(({ channel }) => subscriber.filter.has(channel)).map((change) => changeFrames(change, log, page.epoch)),
  );
  subscriber.position = page.position;
  if (count > 0) push(kit, subscriber, bytes, count);
}

function goLive(kit: Kit, subscriber: Subscriber, log: LogKey, page: Extract<ChangesPage, { kind: 'changes' }>): boolean {
  if (!kit.topics().join(subscriber, log)) return false;
  subscriber.state = 'live';
  pushSync(kit, subscriber, page);
  return true;
}

function pushSync(kit: Kit, subscriber: Subscriber, page: Extract<ChangesPage, { kind: 'changes' }>): void {
  const h = Object.fromEntries([...subscriber.filter].map((channel) => [channel, page.hashes[channel] ?? noHash]));
  push(kit, subscriber, encodeFrame(subscriber.format, { t: 'sync', ...cursorOf(subscriber), h }), 1);
}

function restart(kit: Kit, subscriber: Subscriber, page: Extract<ChangesPage, { kind: 'changes' }>, reason: 'epoch' | 'compacted'): void {
  subscriber.epoch = page.epoch;
  subscriber.position = page.position;
  for (const ch of subscriber.filter) push(kit, subscriber, encodeFrame(subscriber.format, { t: 'reset', ch, reason, snapshot: snapshotPath(ch) }), 1);
  pushSync(kit, subscriber, page);
}

const cursorOf = ({ log, epoch, position }: Subscriber): { readonly c?: string } => (log === undefined ? {} : { c: encodeCursor({ epoch, position }, log) });

function push(kit: Kit, subscriber: Subscriber, bytes: Buffer, frames: number): void {
  const { socket } = subscriber;
  if (subscriber.state === 'ended') return;
  const nowMs = kit.clock.monotonicMs();
  subscriber.lastWriteMs = nowMs;
  kit.counts.frames += frames;
  kit.counts.bytes += bytes.length;
  if (!socket.write(bytes) && subscriber.undrainedSinceMs === 0 && !socket.destroyed) {
    subscriber.undrainedSinceMs = nowMs;
    if (subscriber.bucket >= 0) kit.wheel.place(subscriber, nextDue(kit, subscriber));
  }
  if (socket.writableLength > limits.streamPendingBytesMax && subscriber.state !== 'closing') sayBye(kit, subscriber, 'slow');
}

/** Between 90 and 110 % of the heartbeat, so that those who came together do not stay together. */
const nextDue = ({ random }: Kit, { state, log, lastWriteMs, heartbeatMs, endsAtMs, expiresAtMs, undrainedSinceMs }: Subscriber): number =>
  state === 'closing'
    ? lastWriteMs + closingMs
    : Math.min(
        lastWriteMs + heartbeatMs * (0.9 + 0.2 * random()),
        endsAtMs,
        expiresAtMs,
        undrainedSinceMs === 0 || log === undefined ? Number.POSITIVE_INFINITY : undrainedSinceMs + limits.streamUndrainedMsMax,
      );

async function tick(kit: Kit): Promise<void> {
  let attended = 0;
  for (const subscriber of kit.wheel.advance(kit.clock.monotonicMs())) {
    attend(kit, subscriber);
    if (++attended % writesPerTurn === 0) await turn();
  }
}

function attend(kit: Kit, subscriber: Subscriber): void {
  const nowMs = kit.clock.monotonicMs();
  if (subscriber.state === 'ended') return;
  if (subscriber.state === 'closing') {
    subscriber.socket.destroy();
    return;
  }
  const { endsAtMs, expiresAtMs, undrainedSinceMs, lastWriteMs, heartbeatMs } = subscriber;
  if (undrainedSinceMs > 0 && subscriber.log !== undefined && nowMs - undrainedSinceMs >= limits.streamUndrainedMsMax) return sayBye(kit, subscriber, 'slow');
  if (nowMs >= expiresAtMs) return sayBye(kit, subscriber, 'token');
  if (nowMs >= endsAtMs) return sayBye(kit, subscriber, subscriber.endCode);
  if (nowMs - lastWriteMs >= heartbeatMs * 0.9 && undrainedSinceMs === 0) {
    const exp = expiresAtMs === Number.POSITIVE_INFINITY ? {} : { exp: Math.floor((expiresAtMs - nowMs) / 1000) };
    kit.counts.heartbeats++;
    push(kit, subscriber, encodeFrame(subscriber.format, { t: 'hb', ...cursorOf(subscriber), ...exp }), 1);
  }
  kit.wheel.place(subscriber, nextDue(kit, subscriber));
}

function sayBye(kit: Kit, subscriber: Subscriber, code: ByeCode): void {
  if (subscriber.state === 'closing' || subscriber.state === 'ended') return;
  const retryMs = code === 'drain' ? subscriber.endRetryMs : Math.round(kit.random() * retryMsMax);
  kit.topics().leave(subscriber);
  kit.states.leave(subscriber);
  subscriber.state = 'closing';
  kit.counts.ended[code] = (kit.counts.ended[code] ?? 0) + 1;
  push(kit, subscriber, encodeFrame(subscriber.format, { t: 'bye', code, retry_ms: retryMs, ...cursorOf(subscriber) }), 1);
  subscriber.socket.end(lastChunk);
  kit.wheel.place(subscriber, nextDue(kit, subscriber));
}

function forget(kit: Kit, subscriber: Subscriber): void {
  if (!kit.subscribers.delete(subscriber)) return;
  if (subscriber.state !== 'closing') kit.counts.ended.client = (kit.counts.ended.client ?? 0) + 1;
  subscriber.state = 'ended';
  subscriber.onDrain?.();
  kit.wheel.remove(subscriber);
  kit.topics().leave(subscriber);
  kit.states.leave(subscriber);
  const left = (kit.byAccount.get(subscriber.account) ?? 1) - 1;
  if (left === 0) kit.byAccount.delete(subscriber.account);
  else kit.byAccount.set(subscriber.account, left);
  if (kit.subscribers.size === 0) kit.emptied.notify();
}
