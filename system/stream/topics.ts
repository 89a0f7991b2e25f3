/** Whose log is listened to here: one read after a poke, and the same bytes to everybody. */
import { type ChangePosition, type ChangesPage, changesHead, type FoundChanges, type LogKey, type Store } from '#system/store/store.ts';
import { type ChangeFrames, changeFrames, type Form } from './encode.ts';
import type { Subscriber } from './subscriber.ts';

export type Topic = {
  readonly log: LogKey;
  epoch: string;
  /** Up to where its live subscribers were told, or are being told now. */
  position: ChangePosition;
  readonly subscribers: Set<Subscriber>;
  /** Long polls: woken by any news, they read for themselves. */
  readonly waiters: Set<() => void>;
  isReading: boolean;
  hasNews: boolean;
};

export type TopicsOptions = {
  readonly store: Store;
  /** Writes to a live subscriber. */
  readonly push: (subscriber: Subscriber, bytes: Buffer, frames: number) => void;
  /** The store went back, or forgot more than a subscriber knows: told anew from `page` on. */
  readonly restart: (subscriber: Subscriber, page: FoundChanges, reason: 'epoch' | 'compacted') => void;
  readonly onTrouble: (error: unknown) => void;
};

export type Topics = {
  readonly poke: (keys: readonly LogKey[]) => void;
  /** False where the topic is further than the subscriber: it has to read again first. */
  readonly join: (subscriber: Subscriber, log: LogKey) => boolean;
  readonly leave: (subscriber: Subscriber) => void;
  /** Resolves with the next news after `position`, at once where there is some already. */
  readonly wait: (input: { readonly log: LogKey; readonly epoch: string; readonly position: ChangePosition }, signal: AbortSignal) => Promise<void>;
  /** Compares heads. Returns how many topics had missed something. */
  readonly check: () => Promise<number>;
  readonly wakeWaiters: () => void;
};

/** Writes a turn of the event loop: one to each of 10,000 sockets at once would block it for 18 to 90 ms. */
export const writesPerTurn = 256;
const changesPerRead = 500;
const headsPerRead = 512;
const troublePauseMs = 1000;
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const nameOf = ({ account, principal }: LogKey): string => `${account}\0${principal}`;

export function createTopics(options: TopicsOptions): Topics {
  const topics = new Map<string, Topic>();
  const topicOf = (log: LogKey, epoch: string, position: ChangePosition): Topic => {
    const name = nameOf(log);
    let topic = topics.get(name);
    if (topic === undefined) {
      topic = { log, epoch, position, subscribers: new Set(), waiters: new Set(), isReading: false, hasNews: false };
      topics.set(name, topic);
    }
    return topic;
  };
  /** Only this one: a retry may outlive its topic, and another stand under its name by then. */
  const forgetIfIdle = (topic: Topic): void => {
    const name = nameOf(topic.log);
    if (topic.subscribers.size === 0 && topic.waiters.size === 0 && !topic.isReading && topics.get(name) === topic) topics.delete(name);
  };
  const catchUp = async (topic: Topic): Promise<void> => {
    topic.hasNews = true;
    if (topic.isReading) return;
    topic.isReading = true;
    try {
      while (topic.hasNews && topic.subscribers.size + topic.waiters.size > 0) {
        topic.hasNews = false;
        await readOnce(topic, options);
      }
    } catch (error) {
      options.onTrouble(error);
      setTimeout(() => void catchUp(topic), troublePauseMs).unref();
    } finally {
      topic.isReading = false;
      forgetIfIdle(topic);
    }
  };
  return {
    poke: (keys) => {
      for (const key of keys) {
        const topic = topics.get(nameOf(key));
        if (topic !== undefined) void catchUp(topic);
      }
    },
    join: (subscriber, log) => {
      const topic = topicOf(log, subscriber.epoch, subscriber.position);
      if (isElsewhere(topic, subscriber)) {
        void catchUp(topic);
        return false;
      }
      topic.subscribers.add(subscriber);
      return true;
    },
    leave: (subscriber) => {
      const topic = subscriber.log === undefined ? undefined : topics.get(nameOf(subscriber.log));
      if (topic?.subscribers.delete(subscriber) === true) forgetIfIdle(topic);
    },
    wait: ({ log, epoch, position }, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const topic = topicOf(log, epoch, position);
        if (isElsewhere(topic, { epoch, position })) {
          void catchUp(topic);
          return resolve();
        }
        const done = (): void => {
          topic.waiters.delete(done);
          signal.removeEventListener('abort', done);
          forgetIfIdle(topic);
          resolve();
        };
        topic.waiters.add(done);
        signal.addEventListener('abort', done, { once: true });
      }),
    check: () => checkAll([...topics.values()], options.store, catchUp),
    wakeWaiters: () => {
      for (const { waiters } of [...topics.values()]) for (const wake of [...waiters]) wake();
    },
  };
}

/**
 * Further than whoever comes, who reads again then. It looks too: where the store went back or began anew it is the topic that is wrong, and who waits
 * for it would read without end until the next position check.
 */
const isElsewhere = (topic: Topic, { epoch, position }: Pick<Topic, 'epoch' | 'position'>): boolean => topic.epoch !== epoch || topic.position > position;

async function checkAll(all: readonly Topic[], store: Store, catchUp: (topic: Topic) => Promise<void>): Promise<number> {
  let missed = 0;
  for (let i = 0; i < all.length; i += headsPerRead) {
    const some = all.slice(i, i + headsPerRead);
    const { epoch, heads } = await store.readHeads(some.map(({ log }) => log));
    for (const [j, topic] of some.entries()) {
      if (topic.isReading || (topic.epoch === epoch && topic.position === heads[j])) continue;
      missed++;
      void catchUp(topic);
    }
  }
  return missed;
}

async function readOnce(topic: Topic, options: TopicsOptions): Promise<void> {
  const { store } = options;
  const page = await store.readChanges({ ...topic.log, after: topic.position, limit: changesPerRead });
  if (page.kind !== 'changes' || page.epoch !== topic.epoch) return restartAll(topic, options, page);
  if (page.changes.length === 0) return;
  if (!page.atEnd) topic.hasNews = true;
  const before = topic.position;
  topic.position = page.position;
  for (const wake of [...topic.waiters]) wake();
  const frames = page.changes.map((change) => changeFrames(change, topic.log, topic.epoch));
  const joined = new Map<ReadonlySet<string>, Partial<Record<Form, Joined>>>();
  let writes = 0;
  // A Set may lose and gain members while it is gone through: who is gone is not met, who came is, and stands at the end of this page already.
  for (const subscriber of topic.subscribers) {
    if (subscriber.position >= page.position) continue;
    const { bytes, count } = subscriber.position === before ? joinedFor(subscriber, frames, joined) : joinFrames(subscriber, frames);
    subscriber.position = page.position;
    if (count === 0) continue;
    options.push(subscriber, bytes, count);
    if (++writes % writesPerTurn === 0) await turn();
  }
}

type Joined = { readonly bytes: Buffer; readonly count: number };

/** Those who listen to the same in the same form get one buffer. */
function joinedFor(subscriber: Subscriber, frames: readonly ChangeFrames[], joined: Map<ReadonlySet<string>, Partial<Record<Form, Joined>>>): Joined {
  const { filter, form } = subscriber;
  let made = joined.get(filter);
  if (made === undefined) {
    made = {};
    joined.set(filter, made);
  }
  made[form] ??= joinFrames(subscriber, frames);
  return made[form];
}

export function joinFrames({ filter, form, position }: Pick<Subscriber, 'filter' | 'form' | 'position'>, frames: readonly ChangeFrames[]): Joined {
  const wanted = frames.filter((frame) => frame.position > position && filter.has(frame.channel)).map((frame) => frame.bytes(form));
  return { bytes: wanted.length === 1 ? (wanted[0] as Buffer) : Buffer.concat(wanted), count: wanted.length };
}

async function restartAll(topic: Topic, { store, restart }: TopicsOptions, found: ChangesPage): Promise<void> {
  const reason = found.kind === 'expired' ? 'compacted' : 'epoch';
  // A head behind what was told, under the same epoch: the store lost its tail and nobody noticed yet.
  if (found.kind === 'future' && found.epoch === topic.epoch) await store.renewEpoch({ expected: topic.epoch });
  const page = await store.readChanges({ ...topic.log, after: changesHead, limit: 1 });
  if (page.kind !== 'changes') return;
  topic.epoch = page.epoch;
  topic.position = page.position;
  for (const wake of [...topic.waiters]) wake();
  let writes = 0;
  for (const subscriber of topic.subscribers) {
    if (subscriber.epoch === page.epoch && subscriber.position >= page.position) continue;
    restart(subscriber, page, reason);
    if (++writes % writesPerTurn === 0) await turn();
  }
}
