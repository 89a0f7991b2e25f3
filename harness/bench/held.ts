/** What a held stream costs in resident memory, above the empty process: the service beside a bare node:http server that holds as many. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readProcess } from '#harness/metrics/proc.ts';
import { atMost, type Bench, median, round } from './bench.ts';
import { type Holder, startBare, startHolder, startSubscribers } from './streams/processes.ts';

const streams = 10_000;

type Held = { readonly bytesPerStream: number; readonly emptyBytes: number; readonly lost: number };

async function measure(start: () => Promise<Holder>, seconds: number): Promise<Held> {
  const holder = await start();
  const listening = startSubscribers();
  const resident = (): number => readProcess(holder.pid).residentBytes ?? Number.NaN;
  try {
    // What the first streams load and compile belongs to the process and not to them.
    const warming = startSubscribers();
    await warming.open(holder, 50);
    await warming.stop();
    await sleep(500);
    const emptyBytes = resident();
    await listening.open(holder, streams);
    await sleep(seconds * 1000);
    return { emptyBytes, bytesPerStream: (resident() - emptyBytes) / streams, lost: (await listening.count()).cut };
  } finally {
    await listening.stop();
    await holder.stop();
  }
}

export const heldBench: Bench = {
  name: 'held',
  about: 'resident bytes a stream of 10,000 ÷ a bare node:http server',
  runs: 3,
  seconds: 10,
  run: async ({ runs, seconds, say, signal }) => {
    const service: Held[] = [];
    const bare: Held[] = [];
    for (let run = 0; run < runs && !signal.aborted; run++) {
      bare.push(await measure(startBare, seconds));
      service.push(await measure(startHolder, seconds));
      say(`round ${run + 1}: bare ${bare.at(-1)?.bytesPerStream.toFixed(0)}, service ${service.at(-1)?.bytesPerStream.toFixed(0)} bytes a stream`);
    }
    return {
      name: 'held',
      tools: ['service', 'bare'],
      figures: {
        streams,
        service_bytes_a_stream: round(median(service.map((one) => one.bytesPerStream)), 4),
        service_empty_bytes: round(median(service.map((one) => one.emptyBytes)), 4),
        service_lost: Math.max(...service.map(({ lost }) => lost)),
        bare_bytes_a_stream: round(median(bare.map((one) => one.bytesPerStream)), 4),
        bare_empty_bytes: round(median(bare.map((one) => one.emptyBytes)), 4),
        bare_lost: Math.max(...bare.map(({ lost }) => lost)),
      },
      bars: [
        atMost(
          'service ÷ bare node:http, resident bytes a stream',
          median(service.map((one, i) => one.bytesPerStream / (bare[i]?.bytesPerStream ?? Number.NaN))),
          1.1,
        ),
        atMost('streams lost', Math.max(...service.map(({ lost }) => lost)), 0),
      ],
    };
  },
};
