/** The meter and the look-out for spikes, kept going. */
import { createMeter, type Meter, type MeterOptions } from './meter.ts';
import { createSpikes, type SpikesOptions } from './spikes.ts';

export type MeteringOptions = MeterOptions & SpikesOptions & { readonly onTrouble: (error: unknown) => void };
export type Metering = Meter & { readonly close: () => Promise<void> };

const flushEveryMs = 2000;
const flushesPerLook = 5;

export function startMetering(options: MeteringOptions): Metering {
  const meter = createMeter(options);
  const spikes = createSpikes(options);
  let flushes = 0;
  const beat = async (): Promise<void> => {
    await meter.flush();
    if (++flushes % flushesPerLook === 0) await spikes.look(meter.takeCallers());
  };
  const beating = setInterval(() => void beat().catch(options.onTrouble), flushEveryMs).unref();
  return {
    ...meter,
    close: async () => {
      clearInterval(beating);
      await meter.flush().catch(options.onTrouble);
    },
  };
}
