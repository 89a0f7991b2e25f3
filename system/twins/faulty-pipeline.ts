/** The pipeline's companion with one fault, which the query of this module's own address names: it runs on the store's thread, where no deps reach. */
import { type CompanionData, type Starting, start as startRight } from '#system/pipeline/companion.ts';
import type { FilterSettings } from '#system/pipeline/settings.ts';
import type { LogEvent, StepCommand } from '#system/store/store.ts';

const faults: Readonly<Record<string, (starting: Starting) => Starting>> = {
  'counts-filtered-twice': (starting) => withStep(starting, (device) => ({ ...device, filtered: device.filtered.flatMap((one) => [one, one]) })),
  'doubles-thresholds': (starting) => {
    const data = starting.data as CompanionData;
    const doubled = Object.entries(data.filters).map(([name, threshold]) => [name, threshold === 'off' ? 'off' : 2 * threshold]);
    return { ...starting, data: { ...data, filters: Object.fromEntries(doubled) as FilterSettings } };
  },
  'filters-states': (starting) => {
    const { store } = starting;
    return {
      ...starting,
      store: {
        ...store,
        readLog: async (query) => {
          const page = await store.readLog(query);
          return { ...page, events: page.events.map((event) => ({ ...event, bytes: asLocation(event) })) };
        },
      },
    };
  },
};

type Step = StepCommand['devices'][number];

const withStep = (starting: Starting, change: (device: Step) => Step): Starting => {
  const { store } = starting;
  return { ...starting, store: { ...store, step: (command) => store.step({ ...command, devices: command.devices.map(change) }) } };
};

const asLocation = ({ bytes }: LogEvent): Uint8Array =>
  Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(bytes).toString('utf8')) as object), type: 'location' }));

export const start = (starting: Starting): ReturnType<typeof startRight> => {
  const name = new URL(import.meta.url).searchParams.get('fault') ?? '';
  const change = faults[name];
  if (change === undefined) throw new Error(`there is no faulty pipeline "${name}"`);
  return startRight(change(starting));
};
