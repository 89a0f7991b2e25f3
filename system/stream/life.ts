/** What becomes of a stream once it is open: written to, kept alive, said goodbye to, forgotten. */
import { encodeCursor } from '#system/protocol/cursor.ts';
import type { ByeCode, Frame } from '#system/protocol/frames.ts';
import { limits } from '#system/protocol/limits.ts';
import { deviceKey } from '#system/store/store.ts';
import { encodeFrame, type Form, isChunked } from './encode.ts';
import type { Kit } from './kit.ts';
import { lastChunk } from './outlet.ts';
import { noteEnd, tellEnds } from './signs.ts';
import type { Subscriber } from './subscriber.ts';
import { turn, writesPerTurn } from './topics.ts';

/** After bye: long enough to be read, short enough not to be held by who does not read. */
export const closingMs = 1000;
export const retryMsMax = 3000;

export const cursorOf = ({ log, epoch, position }: Subscriber): { readonly c?: string } =>
  log === undefined ? {} : { c: encodeCursor({ epoch, position }, log) };

/** Nothing comes behind a bye: a write after the socket's end would destroy it with the bye still in it. */
export function push(kit: Kit, subscriber: Subscriber, bytes: Buffer, frames: number): void {
  if (subscriber.state === 'closing' || subscriber.state === 'ended') return;
  write(kit, subscriber, bytes, frames);
  if (subscriber.socket.writableLength > limits.streamPendingBytesMax) sayBye(kit, subscriber, 'slow');
}

function write(kit: Kit, subscriber: Subscriber, bytes: Buffer, frames: number): void {
  const { socket } = subscriber;
  const nowMs = kit.clock.monotonicMs();
  subscriber.lastWriteMs = nowMs;
  kit.counts.frames += frames;
  kit.counts.bytes += bytes.length;
  if (!socket.write(bytes) && subscriber.undrainedSinceMs === 0 && !socket.destroyed) {
    subscriber.undrainedSinceMs = nowMs;
    if (subscriber.bucket >= 0) kit.wheel.place(subscriber, nextDue(kit, subscriber));
  }
}

/** A heartbeat comes after 90 to 110 % of its time, so that those who came together do not stay together. */
const heartbeatShareMin = 0.9;
const heartbeatSpread = 0.2;

/** When what is written has waited for too long; state channels conflate instead. */
const slowAtMs = ({ log, undrainedSinceMs }: Subscriber): number =>
  undrainedSinceMs === 0 || log === undefined ? Number.POSITIVE_INFINITY : undrainedSinceMs + limits.streamUndrainedMsMax;

export function nextDue({ random }: Kit, subscriber: Subscriber): number {
  const { state, lastWriteMs, heartbeatMs, endsAtMs, expiresAtMs } = subscriber;
  if (state === 'closing') return lastWriteMs + closingMs;
  return Math.min(lastWriteMs + heartbeatMs * (heartbeatShareMin + heartbeatSpread * random()), endsAtMs, expiresAtMs, slowAtMs(subscriber));
}

export async function tick(kit: Kit): Promise<void> {
  let attended = 0;
  for (const subscriber of kit.wheel.advance(kit.clock.monotonicMs())) {
    attend(kit, subscriber);
    if (++attended % writesPerTurn === 0) await turn();
  }
  if (kit.kicked.size > 0) await kickAll(kit);
  if (kit.endSigns.size > 0) await tellEnds(kit);
}

/** All are looked at, once a tick: who belongs to which device is worth no index of ten thousands, so seldom is it asked. */
async function kickAll(kit: Kit): Promise<void> {
  const kicked = new Map(kit.kicked);
  kit.kicked.clear();
  let said = 0;
  for (const subscriber of kit.subscribers) {
    const { account, device, generation } = subscriber;
    if (device === undefined || generation === undefined) continue;
    if (generation >= (kicked.get(deviceKey({ account, device })) ?? 0)) continue;
    sayBye(kit, subscriber, 'kick');
    if (++said % writesPerTurn === 0) await turn();
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
  if (nowMs >= slowAtMs(subscriber)) return sayBye(kit, subscriber, 'slow');
  if (nowMs >= expiresAtMs) return sayBye(kit, subscriber, 'token');
  if (nowMs >= endsAtMs) return sayBye(kit, subscriber, subscriber.endCode);
  if (nowMs - lastWriteMs >= heartbeatMs * heartbeatShareMin && undrainedSinceMs === 0) {
    const exp = expiresAtMs === Number.POSITIVE_INFINITY ? {} : { exp: Math.floor((expiresAtMs - nowMs) / 1000) };
    kit.counts.heartbeats++;
    push(kit, subscriber, encodeFrame(subscriber.form, { t: 'hb', ...cursorOf(subscriber), ...exp }), 1);
  }
  kit.wheel.place(subscriber, nextDue(kit, subscriber));
}

export function sayBye(kit: Kit, subscriber: Subscriber, code: ByeCode): void {
  if (subscriber.state === 'closing' || subscriber.state === 'ended') return;
  const retryMs = code === 'drain' ? subscriber.endRetryMs : Math.round(kit.random() * retryMsMax);
  const { form } = subscriber;
  kit.topics().leave(subscriber);
  kit.states.leave(subscriber);
  subscriber.state = 'closing';
  kit.counts.ended[code] = (kit.counts.ended[code] ?? 0) + 1;
  const bye: Frame = { t: 'bye', code, retry_ms: retryMs, ...cursorOf(subscriber) };
  write(kit, subscriber, encodeFrame(form, bye, retryMs + Math.ceil(absenceMs(kit))), 1);
  if (isChunked(form)) subscriber.socket.end(lastChunk);
  else subscriber.socket.end();
  kit.wheel.place(subscriber, nextDue(kit, subscriber));
}

/**
 * An EventSource that comes back while nobody listens is ended for good by whatever answers then, so
 * its `retry:` line leads past what is left of a drain's window.
 */
const absenceMs = ({ drain, clock }: Kit): number => (drain === undefined || drain.othersListen ? 0 : Math.max(0, drain.endsAtMs - clock.monotonicMs()));

/** The whole body of an answer to whoever opens a stream while this process goes down. */
export function goodbye(kit: Kit, form: Form): Buffer {
  const retryMs = Math.round(kit.random() * (kit.drain?.retryMsMax ?? retryMsMax));
  const bye: Frame = { t: 'bye', code: 'drain', retry_ms: retryMs };
  return encodeFrame(form, bye, retryMs + Math.ceil(absenceMs(kit)));
}

export function forget(kit: Kit, subscriber: Subscriber): void {
  if (!kit.subscribers.delete(subscriber)) return;
  if (subscriber.state !== 'closing') kit.counts.ended.client = (kit.counts.ended.client ?? 0) + 1;
  subscriber.state = 'ended';
  subscriber.onDrain?.();
  kit.wheel.remove(subscriber);
  kit.topics().leave(subscriber);
  kit.states.leave(subscriber);
  subscriber.onEnded?.();
  noteEnd(kit, subscriber);
  if (kit.subscribers.size === 0) kit.emptied.notify();
}
