/**
 * Usage over a table whose keys are in order.
 *
 * key: d · account · NUL · day 4             what commands of this store counted
 *      m · account · NUL · day 4 · source    what one process counted
 *      a · day 4 · digest 16                 this device was active
 */
import { digestKey } from './digest.ts';
import { type OrderedTable, readJson, writeJson } from './ordered-changes.ts';
import type { DeviceRef } from './presence.ts';
import { type Day, type Metered, type UsageDay, usageDaysMax } from './usage.ts';

type CountedRow = Pick<UsageDay, 'events' | 'registrations' | 'activeDevices'>;
type MeteredRow = Pick<Metered, 'calls' | 'streamMs'>;

const nothingCounted: CountedRow = { events: 0, registrations: 0, activeDevices: 0 };
const mark = Buffer.alloc(1);

function dayBytes(day: Day): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Math.max(0, day));
  return bytes;
}

const accountKey = (kind: 'd' | 'm', account: string, day: Day, source = ''): Buffer =>
  Buffer.concat([Buffer.from(`${kind}${account}\0`), dayBytes(day), Buffer.from(source)]);
const dayIn = (key: Buffer, account: string): Day => key.readUInt32BE(Buffer.byteLength(account) + 2);

export type UsageGain = { readonly account: string; readonly day: Day } & CountedRow;

export function addUsage(table: OrderedTable, { account, day, ...gain }: UsageGain): void {
  const key = accountKey('d', account, day);
  const before = readJson<CountedRow>(table, key);
  if (before === undefined) forgetOld(table, account, day);
  const { events, registrations, activeDevices } = before ?? nothingCounted;
  writeJson(table, key, {
    events: events + gain.events,
    registrations: registrations + gain.registrations,
    activeDevices: activeDevices + gain.activeDevices,
  } satisfies CountedRow);
}

export const addRegistration = (table: OrderedTable, account: string, day: Day): void => addUsage(table, { account, day, ...nothingCounted, registrations: 1 });

/** True where it is the device's first sign of that day. */
export function markActive(table: OrderedTable, day: Day, { account, device }: DeviceRef): boolean {
  const key = Buffer.concat([Buffer.from('a'), dayBytes(day), digestKey(account, device)]);
  if (table.get(key) !== undefined) return false;
  table.put(key, mark);
  return true;
}

/** Marks of days that nothing is received for any more; at most `limit`. */
export function forgetMarks(table: OrderedTable, { before, limit }: { readonly before: Day; readonly limit: number }): void {
  const bounds = { start: Buffer.from('a'), end: Buffer.concat([Buffer.from('a'), dayBytes(before)]), limit };
  for (const { key } of [...table.range(bounds)]) table.remove(Buffer.from(key));
}

export function putMetered(table: OrderedTable, { account, day, source, calls, streamMs }: Metered): void {
  const key = accountKey('m', account, day, source);
  if (table.get(key) === undefined) forgetOld(table, account, day);
  writeJson(table, key, { calls, streamMs } satisfies MeteredRow);
}

export function readUsage(table: OrderedTable, { account, from, to }: { readonly account: string; readonly from: Day; readonly to: Day }): readonly UsageDay[] {
  const days = new Map<Day, UsageDay>();
  const of = (day: Day): UsageDay => days.get(day) ?? { day, ...nothingCounted, calls: 0, streamMs: 0 };
  const range = (kind: 'd' | 'm') => table.range({ start: accountKey(kind, account, from), end: accountKey(kind, account, to + 1) });
  for (const { key, value } of range('d')) {
    const day = dayIn(key, account);
    days.set(day, { ...of(day), ...(JSON.parse(value.toString()) as CountedRow) });
  }
  for (const { key, value } of range('m')) {
    const sum = of(dayIn(key, account));
    const { calls, streamMs } = JSON.parse(value.toString()) as MeteredRow;
    days.set(sum.day, { ...sum, calls: sum.calls + calls, streamMs: sum.streamMs + streamMs });
  }
  return [...days.values()].sort((a, b) => a.day - b.day);
}

/** With an account's first row of a day, or a source's. */
function forgetOld(table: OrderedTable, account: string, day: Day): void {
  for (const kind of ['d', 'm'] as const) {
    const old = [...table.range({ start: accountKey(kind, account, 0), end: accountKey(kind, account, day - usageDaysMax + 1) })];
    for (const { key } of old) table.remove(Buffer.from(key));
  }
}
