/**
 * What a held stream costs in resident memory, above the empty process, on both sides: the service beside a bare node:http server, our listeners beside bare
 * sockets.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '#harness/metrics/growth.ts';
import { readProcess } from '#harness/metrics/proc.ts';
import { atMost, type Bench, round } from './bench.ts';
import { startOwnListeners } from './streams/fleet.ts';
import { type Holder, startBare, startHolder, startSubscribers } from './streams/processes.ts';

const streams = 10_000;

type Held = { readonly bytesPerStream: number; readonly emptyBytes: number; readonly lost: number };
type Both = { readonly holder: Held; readonly listeners: Held };

/** Who listens, of whatever kind. */
type Listening = {
  readonly pid: number;
  readonly hold: (count: number) => Promise<void>;
  readonly lost: () => number | Promise<number>;
  readonly stop: () => Promise<void>;
};

/** Raw sockets: what a client costs that keeps nothing. */
function bareListeners(holder: Holder): Listening {
  const subscribers = startSubscribers();
  let held = 0;
  return {
    pid: subscribers.pid,
    hold: async (count) => {
      await subscribers.open(holder, count - held);
      held = count;
    },
    lost: async () => (await subscribers.count()).cut,
    stop: subscribers.stop,
  };
}

const residentOf = (pid: number): number => readProcess(pid).residentBytes ?? Number.NaN;

/** What the first streams load and compile belongs to the processes and not to them. */
const warmStreams = 50;
const settleMs = 500;

async function measure(start: () => Promise<Holder>, listen: (holder: Holder) => Listening | Promise<Listening>, seconds: number): Promise<Both> {
  const holder = await start();
  const listening = await listen(holder);
  try {
    await listening.hold(warmStreams);
    await sleep(settleMs);
    const empty = { holder: residentOf(holder.pid), listeners: residentOf(listening.pid) };
    await listening.hold(warmStreams + streams);
    await sleep(seconds * 1000);
    const lost = await listening.lost();
    const held = (pid: number, emptyBytes: number): Held => ({ emptyBytes, bytesPerStream: (residentOf(pid) - emptyBytes) / streams, lost });
    return { holder: held(holder.pid, empty.holder), listeners: held(listening.pid, empty.listeners) };
  } finally {
    await listening.stop();
    await holder.stop();
  }
}

export const heldBench: Bench = {
  name: 'held',
  about: 'resident bytes a stream of 10,000: service ÷ a bare node:http server, our listeners ÷ bare sockets',
  runs: 3,
  seconds: 10,
  run: async ({ runs, seconds, say, signal }) => {
    const bare: Both[] = [];
    const service: Both[] = [];
    const own: Both[] = [];
    for (let run = 0; run < runs && !signal.aborted; run++) {
      bare.push(await measure(startBare, bareListeners, seconds));
      service.push(await measure(startHolder, bareListeners, seconds));
      own.push(await measure(startHolder, startOwnListeners, seconds));
      const [a, b, c] = [bare, service, own].map((all) => all.at(-1) as Both) as [Both, Both, Both];
      say(
        `round ${run + 1}: bare server ${a.holder.bytesPerStream.toFixed(0)}, service ${b.holder.bytesPerStream.toFixed(0)} bytes a stream; bare sockets ${b.listeners.bytesPerStream.toFixed(0)}, our listeners ${c.listeners.bytesPerStream.toFixed(0)}`,
      );
    }
    const figuresOf = (tool: string, all: readonly Held[]) => ({
      [`${tool}_bytes_a_stream`]: round(median(all.map((one) => one.bytesPerStream)), 4),
      [`${tool}_empty_bytes`]: round(median(all.map((one) => one.emptyBytes)), 4),
      [`${tool}_lost`]: Math.max(...all.map(({ lost }) => lost)),
    });
    const holders = (all: readonly Both[]): readonly Held[] => all.map(({ holder }) => holder);
    const listeners = (all: readonly Both[]): readonly Held[] => all.map((one) => one.listeners);
    /** Median of the rounds' own ratios: a slow minute of the machine hits both of a round. */
    const ratio = (ours: readonly Held[], peers: readonly Held[]): number =>
      median(ours.map((one, i) => one.bytesPerStream / (peers[i]?.bytesPerStream ?? Number.NaN)));
    return {
      name: 'held',
      tools: ['service', 'bare_server', 'listeners', 'bare_sockets'],
      figures: {
        streams,
        ...figuresOf('service', holders(service)),
        ...figuresOf('bare_server', holders(bare)),
        ...figuresOf('listeners', listeners(own)),
        ...figuresOf('bare_sockets', listeners(service)),
      },
      bars: [
        atMost('service ÷ bare node:http, resident bytes a stream', ratio(holders(service), holders(bare)), 1.1),
        atMost('our listeners ÷ bare net sockets, resident bytes a stream', ratio(listeners(own), listeners(service)), 1.2),
        atMost('our listeners, resident bytes a stream', median(listeners(own).map(({ bytesPerStream }) => bytesPerStream)), 1500),
        atMost('streams lost', Math.max(...[...holders(service), ...listeners(own)].map(({ lost }) => lost)), 0),
      ],
    };
  },
};
