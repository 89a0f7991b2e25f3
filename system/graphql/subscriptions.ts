/** Frames of the stream as events of a subscription. */
import { Problem } from '#system/protocol/errors.ts';
import type { ByeFrame, Frame, PutFrame } from '#system/protocol/frames.ts';
import { memberSpan, memberSpans, type Span, textOf } from '#system/protocol/json-spans.ts';
import { RawJson } from '#system/protocol/raw-json.ts';
import type { Context, StreamArguments } from './sources.ts';

type Told = PutFrame | ByeFrame;

export const stream = {
  subscribe: (_: unknown, args: StreamArguments, { sources }: Context) => sources.frames(args),
  resolve: (frame: Frame): unknown => shownFrame(frame),
};

const states = (channelOf: (args: { readonly id: string }) => string) => ({
  subscribe: async (_: unknown, args: { readonly id: string }, { sources, keepAlive }: Context) =>
    told(await sources.frames({ channels: [channelOf(args)] }), keepAlive),
  resolve: (frame: Told): unknown => {
    if (frame.t === 'bye') throw new Problem('stream-ended', 'The stream behind it ended; subscribe again.', { bye: frame.code, retry_ms: frame.retry_ms });
    return shownState(frame);
  },
});

export const device = states(({ id }) => `device:${id}`);
export const devices = states(() => 'devices');

/** States and the end; no generator, since whoever stops it must not wait for the frame that does not come. */
function told(frames: AsyncIterableIterator<Frame>, keepAlive: () => void): AsyncIterableIterator<Told> {
  const iterator: AsyncIterableIterator<Told> = {
    next: async () => {
      for (;;) {
        const { done, value } = await frames.next();
        if (done === true) return { done, value: undefined };
        if (value.t === 'put' || value.t === 'bye') return { done: false, value };
        if (value.t === 'hb') keepAlive();
      }
    },
    return: async () => {
      await frames.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

type StateLocation = { readonly id: string; readonly recorded_at: string; readonly position: string; readonly lat: number; readonly lon: number };
/** Of a location in a frame: the first members are the service's, the others the device's. */
const ownMembers = 3;

function shownState({ k, ts, d }: PutFrame): unknown {
  const json = Buffer.from((d as RawJson).text);
  const { presence, location } = JSON.parse((d as RawJson).text) as { readonly presence: string; readonly location?: StateLocation };
  if (location === undefined) return { device: k, at: ts, presence };
  const { id: eventId, recorded_at: recordedAt, position, lat, lon } = location;
  const said = memberSpans(json, (memberSpan(json, 'location') as Span).start).slice(ownMembers);
  const data = new RawJson(`{${said.map(({ whole }) => textOf(json.subarray(whole.start, whole.end))).join(',')}}`);
  return { device: k, at: ts, presence, location: { eventId, recordedAt, position, lat, lon, data } };
}

function shownFrame(frame: Frame): unknown {
  switch (frame.t) {
    case 'put':
    case 'del':
      return { t: frame.t, channel: frame.ch, key: frame.k, version: frame.ver, cursor: frame.c, at: frame.ts, data: 'd' in frame ? frame.d : undefined };
    case 'hello':
      return { t: frame.t, epoch: frame.epoch, from: frame.from, cursor: frame.from, resumed: frame.resumed, heartbeatMs: frame.hb, ageMs: frame.age };
    case 'sync':
      return { t: frame.t, cursor: frame.c, hashes: frame.h };
    case 'hb':
      return { t: frame.t, cursor: frame.c, expiresInSeconds: frame.exp };
    case 'reset':
      return { t: frame.t, channel: frame.ch, reason: frame.reason, snapshot: frame.snapshot };
    case 'bye':
      return { t: frame.t, code: frame.code, retryMs: frame.retry_ms, cursor: frame.c };
  }
}
