/** One change after another to 8,000 who listen: CPU a delivered frame and the longest stop of the event loop, beside a bare node:http loop. */

import { median } from '#harness/metrics/growth.ts';
import { readProcess } from '#harness/metrics/proc.ts';
import { atMost, type Bench, round } from './bench.ts';
import { type Holder, startBare, startHolder, startSubscribers } from './streams/processes.ts';

const subscribers = 8000;
const warmChanges = 5;
const changesPerSecond = 8;

type Fanout = { readonly microsPerFrame: number; readonly loopDelayMaxMs: number; readonly framesPerSecond: number };

async function measure(start: () => Promise<Holder>, changes: number): Promise<Fanout> {
  const holder = await start();
  const listening = startSubscribers();
  try {
    await listening.open(holder, subscribers);
    let expected = 0;
    const tellAll = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await holder.tell();
        expected += subscribers;
        await listening.received(expected);
      }
    };
    await tellAll(warmChanges);
    await holder.loopDelayMaxMs();
    const before = readProcess(holder.pid).cpuMicros ?? Number.NaN;
    const begunMs = performance.now();
    await tellAll(changes);
    const seconds = (performance.now() - begunMs) / 1000;
    const micros = (readProcess(holder.pid).cpuMicros ?? Number.NaN) - before;
    const frames = changes * subscribers;
    return { microsPerFrame: micros / frames, loopDelayMaxMs: await holder.loopDelayMaxMs(), framesPerSecond: frames / seconds };
  } finally {
    await listening.stop();
    await holder.stop();
  }
}

export const fanoutBench: Bench = {
  name: 'fanout',
  about: 'CPU a frame of one change to 8,000 streams ÷ a bare node:http loop',
  runs: 3,
  seconds: 5,
  run: async ({ runs, seconds, say, signal }) => {
    const changes = Math.max(1, Math.round(seconds * changesPerSecond));
    const service: Fanout[] = [];
    const bare: Fanout[] = [];
    for (let run = 0; run < runs && !signal.aborted; run++) {
      bare.push(await measure(startBare, changes));
      service.push(await measure(startHolder, changes));
      say(`round ${run + 1}: bare ${bare.at(-1)?.microsPerFrame.toFixed(2)}, service ${service.at(-1)?.microsPerFrame.toFixed(2)} µs a frame`);
    }
    const of = (all: readonly Fanout[], pick: (one: Fanout) => number): number => round(median(all.map(pick)));
    return {
      name: 'fanout',
      tools: ['service', 'bare'],
      figures: {
        streams: subscribers,
        changes,
        service_us_a_frame: of(service, (one) => one.microsPerFrame),
        service_frames_per_second: of(service, (one) => one.framesPerSecond),
        service_loop_delay_max_ms: of(service, (one) => one.loopDelayMaxMs),
        bare_us_a_frame: of(bare, (one) => one.microsPerFrame),
        bare_frames_per_second: of(bare, (one) => one.framesPerSecond),
        bare_loop_delay_max_ms: of(bare, (one) => one.loopDelayMaxMs),
      },
      bars: [
        atMost('service ÷ bare node:http, CPU a frame', median(service.map((one, i) => one.microsPerFrame / (bare[i]?.microsPerFrame ?? Number.NaN))), 1.2),
      ],
    };
  },
};
