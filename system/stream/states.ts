/**
 * State channels: the latest location and presence of devices. A snapshot on connect, then what is new, without a cursor. News of a device are
 * gathered for a moment and read once for all; who cannot keep up gets the latest value of each device and none of those between.
 */

import { type Clock, shownMs } from '#system/clock.ts';
import type { Channel } from '#system/protocol/channels.ts';
import { memberSpans, textOf } from '#system/protocol/json-spans.ts';
import { jsonText, RawJson, rawMember } from '#system/protocol/raw-json.ts';
import { type DeviceRef, deviceKey, type LatestLocation, type Store } from '#system/store/store.ts';
import { encodeFrame } from './encode.ts';
import { drained, type Subscriber } from './subscriber.ts';
import { turn, writesPerTurn } from './topics.ts';

/** What a subscriber watches. `pending`: frames that wait until it has read what was written before. */
export type Watching = { readonly devices: ReadonlySet<string>; readonly all: boolean; readonly pending: Map<string, Buffer> };

export type States = {
  /** Resolves when the snapshot was told. */
  readonly watch: (subscriber: Subscriber) => Promise<void>;
  readonly leave: (subscriber: Subscriber) => void;
  readonly news: (devices: readonly DeviceRef[]) => void;
  /** All that is watched here is read and told as if it were new: news of it may have been lost. */
  readonly tellAgain: () => void;
  readonly drained: (subscriber: Subscriber) => void;
};

export type StatesOptions = {
  readonly clock: Clock;
  readonly store: Store;
  readonly push: (subscriber: Subscriber, bytes: Buffer, frames: number) => void;
  /** The accounts that somebody here watches. Resolves once no news of them is missed. */
  readonly onWatch: (accounts: readonly string[]) => Promise<void>;
  readonly onTrouble: (error: unknown) => void;
};

const gatherMs = 50;
const troublePauseMs = 1000;
const devicesPerPage = 200;
/** Well below what a stream may have pending: who reads is never cut for what it was sent at once. */
const portionBytesMax = 2 ** 16;

export const watchingOf = (channels: readonly Channel[]): Watching | undefined => {
  const devices = channels.flatMap((channel) => (channel.kind === 'device' ? [channel.device] : []));
  const all = channels.some(({ kind }) => kind === 'devices');
  return devices.length === 0 && !all ? undefined : { devices: new Set(devices), all, pending: new Map() };
};

/** `heard`: from then on what is new is heard here. */
type Watched = { readonly subscribers: Set<Subscriber>; readonly heard: Promise<void> };
type Kit = StatesOptions & { readonly byAccount: Map<string, Watched> };

export function createStates(options: StatesOptions): States {
  const { onWatch, onTrouble } = options;
  const byAccount = new Map<string, Watched>();
  const kit: Kit = { ...options, byAccount };
  let dirty = new Map<string, DeviceRef>();
  /** Or about to: two at once could tell an older state after a younger one. */
  let isTelling = false;
  const tellSoon = (afterMs: number): void => {
    if (isTelling || dirty.size === 0) return;
    isTelling = true;
    setTimeout(() => void tellGathered(), afterMs);
  };
  const gather = (refs: Iterable<DeviceRef>): void => {
    for (const ref of refs) dirty.set(deviceKey(ref), ref);
    tellSoon(gatherMs);
  };
  /** What could not be read is read later: the state of a device is told by its news alone. */
  const tellGathered = async (): Promise<void> => {
    const gathered = dirty;
    dirty = new Map();
    let pauseMs = gatherMs;
    await tellAll([...gathered.values()]).catch((error: unknown) => {
      onTrouble(error);
      for (const [name, ref] of gathered) dirty.set(name, ref);
      pauseMs = troublePauseMs;
    });
    isTelling = false;
    tellSoon(pauseMs);
  };
  const tellAll = async (gathered: readonly DeviceRef[]): Promise<void> => {
    const watchersOf = ({ account, device }: DeviceRef): readonly Subscriber[] =>
      [...(byAccount.get(account)?.subscribers ?? [])].filter(({ watching }) => watching?.all === true || watching?.devices.has(device));
    const wanted = gathered.filter((ref) => watchersOf(ref).length > 0);
    let told = 0;
    for (let i = 0; i < wanted.length; i += devicesPerPage) {
      const page = wanted.slice(i, i + devicesPerPage);
      // Who comes while this is read and told reads for itself, and may not get this behind it.
      const watchers = page.map(watchersOf);
      const states = await Promise.all(page.map((ref) => readState(kit, ref)));
      for (const [j, ref] of page.entries()) {
        for (const subscriber of watchers[j] as readonly Subscriber[]) {
          tell(kit, subscriber, ref.device, states[j]);
          if (++told % writesPerTurn === 0) await turn();
        }
      }
    }
  };
  const gatherWatched = async (): Promise<void> => {
    for (const [account, { subscribers }] of [...byAccount]) {
      const watched = [...subscribers].flatMap(({ watching }) => watching ?? []);
      for (const { devices } of watched) gather(refsOf(account, devices));
      if (watched.some(({ all }) => all)) for await (const page of pagesOf(kit, account)) gather(refsOf(account, page));
    }
  };
  const tellAgain = (): void =>
    void gatherWatched().catch((error: unknown) => {
      onTrouble(error);
      setTimeout(tellAgain, troublePauseMs).unref();
    });
  return {
    watch: async (subscriber) => {
      const { account, watching } = subscriber;
      if (watching === undefined) return;
      const watched = byAccount.get(account) ?? { subscribers: new Set(), heard: onWatch([...byAccount.keys(), account]) };
      byAccount.set(account, watched);
      watched.subscribers.add(subscriber);
      // Behind it: what changed before is in the snapshot, what changes after is news.
      await watched.heard;
      await tellSnapshot(kit, subscriber, watching);
    },
    leave: (subscriber) => {
      const watched = byAccount.get(subscriber.account);
      if (watched?.subscribers.delete(subscriber) !== true || watched.subscribers.size > 0) return;
      byAccount.delete(subscriber.account);
      void onWatch([...byAccount.keys()]);
    },
    news: gather,
    tellAgain,
    drained: (subscriber) => {
      const pending = subscriber.watching?.pending;
      while (pending !== undefined && pending.size > 0 && subscriber.undrainedSinceMs === 0) {
        const frames = takePortion(pending);
        options.push(subscriber, Buffer.concat(frames), frames.length);
      }
    },
  };
}

function takePortion(pending: Map<string, Buffer>): readonly Buffer[] {
  const frames: Buffer[] = [];
  let bytes = 0;
  for (const [name, frame] of pending) {
    if (bytes >= portionBytesMax) break;
    pending.delete(name);
    frames.push(frame);
    bytes += frame.length;
  }
  return frames;
}

type State = { readonly seenAtMs: number; readonly d: Readonly<Record<string, unknown>> } | undefined;

/** Undefined for a device that nothing is known of. */
async function readState({ store }: Kit, ref: DeviceRef): Promise<State> {
  const [presence, latest] = await Promise.all([store.readPresence(ref), store.readLatest(ref)]);
  if (presence === undefined && latest === undefined) return undefined;
  const location = latest && locationOf(latest);
  return { seenAtMs: presence?.seenAtMs ?? 0, d: { presence: presence?.online === true ? 'online' : 'offline', ...(location && { location }) } };
}

/** The service's own members come first and once: what a device says by one of their names is told at the location's route only. */
function locationOf({ id, position, bytes }: LatestLocation): RawJson {
  const { recorded_at } = JSON.parse(textOf(bytes)) as { readonly recorded_at: string };
  const own = { id, recorded_at, position };
  const data = Buffer.from((rawMember(bytes, 'data') as RawJson).text);
  const said = memberSpans(data, 0).filter(({ key }) => !(key in own));
  const parts = said.map(({ whole }) => textOf(data.subarray(whole.start, whole.end)));
  return new RawJson(`{${[jsonText(own).slice(1, -1), ...parts].join(',')}}`);
}

function tell({ push, clock }: Kit, subscriber: Subscriber, device: string, state: State): void {
  const { watching, form } = subscriber;
  if (watching === undefined || state === undefined) return;
  const channels = [...(watching.devices.has(device) ? [`device:${device}`] : []), ...(watching.all ? ['devices'] : [])];
  for (const ch of channels) {
    const bytes = encodeFrame(form, { t: 'put', ch, k: device, ts: new Date(shownMs(clock, state.seenAtMs)).toISOString(), d: state.d });
    // Behind the newest of this device that waits, nothing older may come.
    if (subscriber.undrainedSinceMs > 0) watching.pending.set(`${ch} ${device}`, bytes);
    else push(subscriber, bytes, 1);
  }
}

/** A page at a time, as it is read: what is behind it, sync too, comes when the client has it. */
async function tellSnapshot(kit: Kit, subscriber: Subscriber, watching: Watching): Promise<void> {
  const { account } = subscriber;
  const isWatching = (): boolean => kit.byAccount.get(account)?.subscribers.has(subscriber) === true;
  const tellPage = async (devices: readonly string[]): Promise<void> => {
    const states = await Promise.all(devices.map((device) => readState(kit, { account, device })));
    for (const [i, device] of devices.entries()) tell(kit, subscriber, device, states[i]);
    while (isWatching() && watching.pending.size > 0) await drained(subscriber);
  };
  await tellPage([...watching.devices]);
  if (!watching.all) return;
  for await (const devices of pagesOf(kit, account)) {
    if (!isWatching()) return;
    await tellPage(devices);
  }
}

const refsOf = (account: string, devices: Iterable<string>): readonly DeviceRef[] => Array.from(devices, (device) => ({ account, device }));

/** The devices of an account. */
async function* pagesOf({ store }: Pick<Kit, 'store'>, account: string): AsyncGenerator<readonly string[]> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const devices: readonly string[] = await store.readDevices({ account, after, limit: devicesPerPage });
    yield devices;
    after = devices.length < devicesPerPage ? undefined : devices.at(-1);
  }
}
