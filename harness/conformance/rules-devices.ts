/** R26, R45: the state channels of devices. */
import { setTimeout as sleep } from 'node:timers/promises';
import { secretAuthorization } from '#harness/topology/provision.ts';
import { openStream, type ReadFrame, type StreamReader } from '#harness/topology/stream-reader.ts';
import { hold, type Rule, type RuleContext } from './rule.ts';
import { eventOf } from './rules-ingest.ts';
import { arrived, eventually, soon } from './user.ts';

type DeviceState = { readonly presence: string; readonly location?: { readonly note?: string; readonly n?: number } };
const stateOf = ({ d }: ReadFrame): DeviceState => d as DeviceState;
const statesOf = (reader: StreamReader): readonly ReadFrame[] => reader.frames.filter(({ t }) => t === 'put');

const watch = (context: Pick<RuleContext, 'client' | 'account'>, query: string): StreamReader =>
  openStream({ url: `${context.client.base()}/v1/stream?${query}`, authorization: secretAuthorization(context.account) });

const located = (id: string, n: number, note = ''): Record<string, unknown> => ({
  ...eventOf(id),
  recorded_at: new Date(Date.parse('2026-01-01T00:00:00.000Z') + n * 1000).toISOString(),
  data: { lat: 52, lon: 4, n, note },
});

const devices = 40;
const rounds = 50;
/** Longer than news are gathered, so that each round is told by itself: 24 MB in all, where the kernel hides 4 to 8. */
const betweenRoundsMs = 80;

const settledMs = 1500;

const conflated: Rule = {
  id: 'R26',
  title: 'a reader of a state channel that cannot keep up ends with the latest value, and never goes back',
  proves: [
    'On a state channel a slow reader is not cut: what it missed is left out, and it ends with the latest value of each device.',
    'It never sees an older value after a younger one.',
  ],
  how: [
    'A reader of 32 devices stops reading while they and eight others send 50 locations of 15 KB each, 80 ms apart; then it reads on.',
    'For each device the last location has to arrive and the numbers must not fall.',
    'Fewer frames than locations have to come, and the stream has to be open still.',
  ],
  redBy: ['drops-conflated'],
  needs: [],
  check: async ({ client, account, name }) => {
    const names = Array.from({ length: devices }, (_, i) => name(`d${i}`));
    const tokens = await Promise.all(names.map((device) => client.device(account, device)));
    const reader = watch(
      { client, account },
      names
        .slice(0, 32)
        .map((device) => `ch=device:${device}`)
        .join('&'),
    );
    await arrived(reader, 'sync');
    reader.socket.pause();
    const note = 'x'.repeat(15_000);
    for (let n = 0; n < rounds; n++) {
      await Promise.all(tokens.map((token, i) => client.send(token, [located(name(`e${i}-${n}`), n, note)])));
      await sleep(betweenRoundsMs);
    }
    // The last news were told by now, to one who does not read.
    await sleep(settledMs);
    reader.socket.resume();
    const seenOf = (device: string): readonly number[] => statesOf(reader).flatMap((frame) => (frame.k === device ? [stateOf(frame).location?.n ?? -1] : []));
    const watched = names.slice(0, 32);
    await eventually('the latest value of every device', () => watched.every((device) => seenOf(device).includes(rounds - 1)));
    for (const device of watched) {
      const seen = seenOf(device);
      hold(
        seen.every((n, i) => i === 0 || n >= (seen[i - 1] as number)),
        'no older value after a younger one',
        seen,
      );
    }
    hold(statesOf(reader).length < 32 * rounds, 'values to be left out for who does not keep up', statesOf(reader).length);
    hold(reader.state() === 'open', 'the stream to live on', reader.frames.at(-1)?.t);
    reader.close();
  },
};

const presenceTimeoutMs = 3000;
/** Closed over two thirds of the timeout: a service that counts from a touch of every third is early for some. */
const leaving = 20;

const presence: Rule = {
  id: 'R45',
  title: 'a device turns offline when its time is over, never before, be it since its last event or the end of its stream, and online with its next event',
  proves: [
    'A device is offline when its timeout has passed since its last event, or since its own stream ended: in time, and never early.',
    'Its next event makes it online again.',
  ],
  how: [
    'At a service with a timeout of 3 s a device sends six events half a timeout apart, falls silent, sends again, and holds a stream for two',
    'timeouts.',
    'A stream of all devices has to say online all that while but for the silence, and offline within the bound and not before 3 s.',
    'Twenty further devices close their streams over two thirds of a timeout, and none may be offline early.',
  ],
  redBy: ['always-online', 'forgets-the-end'],
  needs: ['own service'],
  check: async (context) => {
    const { service, name, neededNoStop } = context;
    await service?.withService({ env: { HEADROOM_PRESENCE_TIMEOUT_MS: String(presenceTimeoutMs) } }, async ({ client, account }) => {
      const device = name('device');
      const token = await client.device(account, device);
      const reader = watch({ client, account }, 'ch=devices');
      await arrived(reader, 'sync');
      const last = (): string | undefined => {
        const frame = statesOf(reader).at(-1);
        return frame && stateOf(frame).presence;
      };
      // A request that took its time may have been counted when it began, or when it was answered.
      let sentMs = 0;
      let longestMs = 0;
      for (let i = 0; i < 6; i++) {
        const begunMs = performance.now();
        await client.send(token, [located(name(`e${i}`), i)]);
        if (i > 0) longestMs = Math.max(longestMs, performance.now() - sentMs);
        sentMs = begunMs;
        await eventually('online', () => last() === 'online');
        // Each within the time of the one before: together far longer than one.
        if (i < 5) await sleep(presenceTimeoutMs / 2);
      }
      const wasOnline = statesOf(reader).every((frame) => stateOf(frame).presence === 'online');
      if (!wasOnline && longestMs >= presenceTimeoutMs) neededNoStop('an event every half of the timeout', presenceTimeoutMs / 2);
      hold(wasOnline, 'online all the time', statesOf(reader).map(stateOf));
      await soon(context, { what: 'offline', statedMs: presenceTimeoutMs + 1500, holds: () => last() === 'offline' });
      const silentMs = performance.now() - sentMs;
      hold(silentMs >= presenceTimeoutMs - 20, `offline not before ${presenceTimeoutMs} ms of silence`, silentMs);
      await client.send(token, [located(name('again'), 10)]);
      await eventually('online again', () => last() === 'online');
      const own = openStream({ url: `${client.base()}/v1/stream?ch=device:${device}`, authorization: token });
      await arrived(own, 'sync');
      await sleep(2 * presenceTimeoutMs);
      hold(last() === 'online', 'a device whose stream is open to stay online', statesOf(reader).map(stateOf).slice(-3));
      own.close();
      await soon(context, { what: 'offline after its stream ended', statedMs: presenceTimeoutMs + 1500, holds: () => last() === 'offline' });
      await holdEnds({ ...context, client, account, reader });
      reader.close();
    });
  },
};

type Ending = Pick<RuleContext, 'client' | 'account' | 'name' | 'judge' | 'holdTime'> & { readonly reader: StreamReader };

/** A device is offline a timeout after its own stream ended: not before, and in time. */
async function holdEnds({ client, account, name, reader, ...timing }: Ending): Promise<void> {
  const own = await Promise.all(
    Array.from({ length: leaving }, async (_, i) => {
      const device = name(`leaving${i}`);
      const authorization = await client.device(account, device);
      return { device, stream: openStream({ url: `${client.base()}/v1/stream?ch=device:${device}`, authorization }) };
    }),
  );
  await Promise.all(own.map(({ stream }) => arrived(stream, 'sync')));
  const endedAtMs: number[] = [];
  for (const { stream } of own) {
    endedAtMs.push(performance.now());
    stream.close();
    await sleep((presenceTimeoutMs * 2) / 3 / leaving);
  }
  const offlineAtMs = (device: string): number | undefined => {
    const at = reader.frames.findIndex((frame) => frame.t === 'put' && frame.k === device && stateOf(frame).presence === 'offline');
    return reader.arrivedAtMs[at];
  };
  const areOffline = (): boolean => own.every(({ device }) => offlineAtMs(device) !== undefined);
  await soon(timing, { what: 'all offline', statedMs: presenceTimeoutMs + 1500, holds: areOffline });
  const afterMs = own.map(({ device }, i) => Math.round((offlineAtMs(device) ?? 0) - (endedAtMs[i] ?? 0)));
  hold(
    afterMs.every((ms) => ms >= presenceTimeoutMs - 20),
    `offline not before ${presenceTimeoutMs} ms after the stream’s end`,
    afterMs,
  );
}

export const deviceRules: readonly Rule[] = [conflated, presence];
