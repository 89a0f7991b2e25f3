/** What happens to a device and is told outside: written by the transaction in which it happens. */
import { textOf } from '#system/protocol/json-spans.ts';
import { rawMember } from '#system/protocol/raw-json.ts';
import type { OrderedTable } from './ordered-changes.ts';
import { happen } from './ordered-outward.ts';
import { partitionOf } from './partition.ts';
import type { DeviceRow, LatestLocation } from './store.ts';

type Of = { readonly account: string; readonly device: string; readonly atMs: number };

export function tellPresence(table: OrderedTable, { account, device, atMs }: Of, isOnline: boolean): void {
  const source = `${device}\0${atMs}`;
  const data = (): unknown => ({ device_id: device });
  happen(table, { account, partition: partitionOf(account, device), type: isOnline ? 'device.online' : 'device.offline', source, atMs, data });
}

export function tellLatest(table: OrderedTable, { account, device, atMs }: Of, latest: LatestLocation): void {
  const data = (): unknown => {
    const { recorded_at } = JSON.parse(textOf(latest.bytes)) as { readonly recorded_at: string };
    return { device_id: device, event_id: latest.id, position: latest.position, recorded_at, location: rawMember(latest.bytes, 'data') };
  };
  happen(table, { account, partition: partitionOf(account, device), type: 'location.latest', source: `${device}\0${latest.position}`, atMs, data });
}

/** Tokens of a generation before the row's are refused from now on. */
export const endsTokens = (present: DeviceRow | undefined, row: DeviceRow): boolean => present !== undefined && row.generation > present.generation;

/** Only where something changed: an identical registration stores no row. */
export function tellRegistered(
  table: OrderedTable,
  { account, device, expected, row }: { readonly account: string; readonly device: string; readonly expected: number | undefined; readonly row: DeviceRow },
): void {
  const type = row.deleted ? 'device.deleted' : expected === undefined ? 'device.registered' : 'device.updated';
  const { attributes, user, version, changedAtMs: atMs } = row;
  const { push_token: _, ...shown } = attributes;
  const data = (): unknown => ({ device_id: device, ...shown, ...(user === undefined ? {} : { user }), version });
  happen(table, { account, partition: partitionOf(account, device), type, source: `${device}\0${version}`, atMs, data });
}
