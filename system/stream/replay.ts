/** From a cursor to the log's end, and into the topic. */
import { snapshotPath } from '#system/protocol/channels.ts';
import { changesHead, type FoundChanges, type LogKey } from '#system/store/store.ts';
import { changeFrames, encodeFrame } from './encode.ts';
import type { Kit } from './kit.ts';
import { cursorOf, push } from './life.ts';
import { drained, type Subscriber } from './subscriber.ts';
import { joinFrames } from './topics.ts';

const changesPerRead = 500;
const noHash = '0'.repeat(16);

/** Tells what lies between the cursor and the log's end, then joins the topic. Nothing to wait for where the first page is the last. */
export function replay(kit: Kit, subscriber: Subscriber, first: FoundChanges | undefined): Promise<void> | undefined {
  const { log } = subscriber;
  if (subscriber.state !== 'replaying') return undefined;
  if (first === undefined || log === undefined) {
    subscriber.state = 'live';
    push(kit, subscriber, encodeFrame(subscriber.form, { t: 'sync', h: {} }), 1);
    return undefined;
  }
  tell(kit, subscriber, first, log);
  return first.atEnd && goLive(kit, subscriber, log, first) ? undefined : readOn(kit, subscriber, log);
}

async function readOn(kit: Kit, subscriber: Subscriber, log: LogKey): Promise<void> {
  while (isReplaying(subscriber)) {
    if (subscriber.socket.writableNeedDrain) await drained(subscriber);
    const page = await kit.store.readChanges({ ...log, after: subscriber.position, limit: changesPerRead });
    if (!isReplaying(subscriber)) return;
    if (page.kind !== 'changes' || page.epoch !== subscriber.epoch) {
      const anew = await kit.store.readChanges({ ...log, after: changesHead, limit: 1 });
      if (anew.kind !== 'changes' || !isReplaying(subscriber)) continue;
      restart(kit, subscriber, anew, page.kind === 'expired' ? 'compacted' : 'epoch');
      joinTopic(kit, subscriber, log);
      continue;
    }
    tell(kit, subscriber, page, log);
    if (page.atEnd && goLive(kit, subscriber, log, page)) return;
  }
}

function tell(kit: Kit, subscriber: Subscriber, page: FoundChanges, log: LogKey): void {
  const { bytes, count } = joinFrames(
    subscriber,
    page.changes.filter(({ channel }) => subscriber.filter.has(channel)).map((change) => changeFrames(change, log, page.epoch)),
  );
  subscriber.position = page.position;
  if (count > 0) push(kit, subscriber, bytes, count);
}

const isReplaying = ({ state }: Subscriber): boolean => state === 'replaying';

/** Not for who ended meanwhile, or was cut by what was just written: a topic would keep it for ever. */
function joinTopic(kit: Kit, subscriber: Subscriber, log: LogKey): boolean {
  if (!isReplaying(subscriber) || !kit.topics().join(subscriber, log)) return false;
  subscriber.state = 'live';
  return true;
}

function goLive(kit: Kit, subscriber: Subscriber, log: LogKey, page: FoundChanges): boolean {
  if (!joinTopic(kit, subscriber, log)) return false;
  pushSync(kit, subscriber, page);
  return true;
}

function pushSync(kit: Kit, subscriber: Subscriber, page: FoundChanges): void {
  const h = Object.fromEntries([...subscriber.filter].map((channel) => [channel, page.hashes[channel] ?? noHash]));
  push(kit, subscriber, encodeFrame(subscriber.form, { t: 'sync', ...cursorOf(subscriber), h }), 1);
}

export function restart(kit: Kit, subscriber: Subscriber, page: FoundChanges, reason: 'epoch' | 'compacted'): void {
  subscriber.epoch = page.epoch;
  subscriber.position = page.position;
  for (const ch of subscriber.filter) push(kit, subscriber, encodeFrame(subscriber.form, { t: 'reset', ch, reason, snapshot: snapshotPath(ch) }), 1);
  pushSync(kit, subscriber, page);
}
