/** What a fixture of a data format is: a backup that a real service took, and what it answered then. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { privateFileMode, privateFolderMode } from '#system/store/private-folder.ts';

export type Fixture = {
  readonly account: { readonly account_id: string; readonly secret: string; readonly publishable_key: string };
  /** Of the device `phone`, which is the user `ann`'s. */
  readonly deviceSecret: string;
  /** What `batch` was answered under the Idempotency-Key `fixture`. */
  readonly receipt: string;
  /** By path, as text. */
  readonly answers: Readonly<Record<string, string>>;
};

/** A location that is kept, one that the filter `zero` leaves out, and a change of state. */
export const batch = JSON.stringify(
  [
    { id: 'e1', type: 'location', data: { lat: 52.37, lon: 4.89, accuracy: 5 } },
    { id: 'e2', type: 'location', data: { lat: 0, lon: 0, accuracy: 5 } },
    { id: 'e3', type: 'activity', data: { value: 'walk' } },
  ].map((event) => ({ ...event, recorded_at: '2026-11-25T10:00:00.000Z' })),
);

const history = '/v1/devices/phone/history?include=filtered';
/** What is asked of a fixture, and by whom: the account's secret, or a token of the user `ann`. */
export const pathsOf: readonly { readonly path: string; readonly as: 'owner' | 'user' }[] = [
  ...['/v1/export', history, '/v1/devices', '/v1/devices/phone/location', '/v1/devices/phone/context', '/v1/webhooks', '/v1/sync/inbox/snapshot'].map(
    (path) => ({ path, as: 'owner' }) as const,
  ),
  ...['/v1/sync/trips', '/v1/sync/trips/snapshot', '/v1/sync/trips/t1', '/v1/shares'].map((path) => ({ path, as: 'user' }) as const),
];

const folder = fileURLToPath(new URL('.', import.meta.url));
export const fixturePath = (name: string, ending: 'mdb.gz' | 'json'): string => join(folder, `format-${name}.${ending}`);
export const fixtureNames = (): readonly string[] => readdirSync(folder).flatMap((file) => /^format-(.+)\.mdb\.gz$/.exec(file)?.[1] ?? []);
export const readFixture = (name: string): Fixture => JSON.parse(readFileSync(fixturePath(name, 'json'), 'utf8')) as Fixture;

/** Its data, as the data file of a service or a backup. */
export const unpackFixture = (name: string, dataFile: string): void => unpackData(`format-${name}`, dataFile);

/** `before-1` is of the service of the day before format 1. */
export function unpackData(file: string, dataFile: string): void {
  mkdirSync(dirname(dataFile), { recursive: true, mode: privateFolderMode });
  writeFileSync(dataFile, gunzipSync(readFileSync(join(folder, `${file}.mdb.gz`))), { mode: privateFileMode });
}
