/** Rows of the store as the schema shows them. */
import { Problem } from '#system/protocol/errors.ts';
import { textOf } from '#system/protocol/json-spans.ts';
import { limits } from '#system/protocol/limits.ts';
import { rawMember } from '#system/protocol/raw-json.ts';
import type { LatestLocation } from '#system/store/store.ts';
import type { Context, DeviceView, EventView, HistoryArguments } from './sources.ts';

type PageArguments = { readonly first: number; readonly after?: string | null };
const timeOf = (atMs: number): string => new Date(atMs).toISOString();
const parsed = (bytes: Uint8Array): unknown => JSON.parse(textOf(bytes));

function checkFirst(first: number, most: number): void {
  if (!Number.isInteger(first) || first < 1 || first > most) throw new Problem('bad-range', `"first" is a whole number from 1 to ${most}.`);
}

export const query = {
  device: (_: unknown, { id }: { readonly id: string }, { sources }: Context) => sources.device(id),
  devices: (_: unknown, page: PageArguments, { sources }: Context) => {
    checkFirst(page.first, limits.devicesPageMax);
    return sources.devices(page);
  },
  location: async (_: unknown, { device }: { readonly device: string }, { sources }: Context) => shownLocation(await sources.location(device)),
  history: (_: unknown, args: HistoryArguments & { readonly device: string }, context: Context) => history(args.device, args, context),
  usage: async (_: unknown, range: { readonly from?: string; readonly to?: string }, { sources }: Context) =>
    (await sources.usage(range)).map(({ stream_minutes: streamMinutes, active_devices: activeDevices, ...day }) => ({ ...day, streamMinutes, activeDevices })),
};

const attribute =
  (name: string) =>
  ({ row }: DeviceView): unknown =>
    row.attributes[name];

export const device = {
  name: attribute('name'),
  platform: attribute('platform'),
  appVersion: attribute('app_version'),
  metadata: attribute('metadata'),
  user: ({ row }: DeviceView) => row.user,
  registeredAt: ({ row }: DeviceView) => timeOf(row.registeredAtMs),
  changedAt: ({ row }: DeviceView) => timeOf(row.changedAtMs),
  presence: async ({ id }: DeviceView, _: unknown, { sources }: Context) => ((await sources.isOnline(id)) ? 'online' : 'offline'),
  location: async ({ id }: DeviceView, _: unknown, { sources }: Context) => shownLocation(await sources.location(id)),
  history: ({ id }: DeviceView, args: HistoryArguments, context: Context) => history(id, args, context),
};

async function history(id: string, args: HistoryArguments, { sources }: Context): Promise<unknown> {
  checkFirst(args.first, limits.historyPageMax);
  const { events, next } = await sources.history(id, args);
  return { events: events.map(shownEvent), after: next };
}

function shownEvent({ id, position, disposition, receivedAtMs, bytes }: EventView): unknown {
  const { type, recorded_at: recordedAt } = parsed(bytes) as { readonly type: string; readonly recorded_at: string };
  return { id, position, disposition, receivedAt: timeOf(receivedAtMs), type, recordedAt, data: rawMember(bytes, 'data') };
}

function shownLocation(latest: LatestLocation | undefined): unknown {
  if (latest === undefined) return null;
  const { recorded_at: recordedAt, data } = parsed(latest.bytes) as { readonly recorded_at: string; readonly data: object };
  return { eventId: latest.id, position: latest.position, recordedAt, ...coordinatesOf(data), data: rawMember(latest.bytes, 'data') };
}

const coordinatesOf = (data: object): { readonly lat?: unknown; readonly lon?: unknown } => {
  const { lat, lon } = data as { readonly lat?: unknown; readonly lon?: unknown };
  return { lat, lon };
};
