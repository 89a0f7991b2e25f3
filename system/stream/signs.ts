/**
 * Signs of life of the devices whose own streams are held here: when one opens, while it is open, and once more when it ends, so that a device is
 * called offline a whole timeout after its end and not up to a third of one earlier.
 */
import { storeMsOf } from '#system/clock.ts';
import { type DeviceRef, deviceKey } from '#system/store/store.ts';
import type { Kit } from './kit.ts';
import type { Subscriber } from './subscriber.ts';
import { writesPerTurn } from './topics.ts';

export type Sign = DeviceRef & { readonly nowMs: number };

const signOf = ({ account, device }: Subscriber, nowMs: number): readonly Sign[] => (device === undefined ? [] : [{ account, device, nowMs }]);

export function touch(kit: Kit, subscribers: Iterable<Subscriber>): Promise<void> {
  const nowMs = storeMsOf(kit.clock);
  return give(
    kit,
    [...subscribers].flatMap((subscriber) => signOf(subscriber, nowMs)),
  );
}

/** Kept until the next tick: ten thousand that end at once are then a few transactions of the store. */
export function noteEnd(kit: Kit, subscriber: Subscriber): void {
  for (const sign of signOf(subscriber, storeMsOf(kit.clock))) kit.endSigns.set(deviceKey(sign), sign);
}

export function tellEnds(kit: Kit): Promise<void> {
  const signs = [...kit.endSigns.values()];
  kit.endSigns.clear();
  return give(kit, signs);
}

async function give({ store, settings: { presenceTimeoutMs: timeoutMs }, onAppeared }: Kit, signs: readonly Sign[]): Promise<void> {
  for (let i = 0; i < signs.length; i += writesPerTurn) {
    const some = signs.slice(i, i + writesPerTurn);
    const appeared = await Promise.all(some.map((sign) => store.touch({ ...sign, timeoutMs })));
    const news = some.flatMap(({ account, device }, j) => (appeared[j] === true ? [{ account, device }] : []));
    if (news.length > 0) onAppeared(news);
  }
}
