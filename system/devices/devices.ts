/** Registration, authentication, reading. Outcomes are values; the routes turn them into HTTP. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '#system/clock.ts';
import type { RegisterBody } from '#system/protocol/schemas.ts';
import { digestOf, matchesDigest } from '#system/protocol/secrets.ts';
import { type DeviceRow, filledTo, meetsVersions, type Store, type TokenEnd, type VersionCondition } from '#system/store/store.ts';
import { createKnownRegistrations, type KnownRegistrations } from './known.ts';

export type DeviceKey = { readonly account: string; readonly device: string };
export type Registration = Omit<RegisterBody, 'device_secret' | 'user_token' | 'user'>;

export type RegisterOutcome =
  | { readonly kind: 'created'; readonly secret: string; readonly row: DeviceRow }
  | { readonly kind: 'known'; readonly changed: true; readonly row: DeviceRow }
  /** Without its row where it was known by heart. */
  | { readonly kind: 'known'; readonly changed: false; readonly row: DeviceRow | undefined }
  | { readonly kind: 'unproven' }
  | { readonly kind: 'deleted' }
  /** Undefined: there is no such device. */
  | { readonly kind: 'other-version'; readonly version: number | undefined }
  /** This device has changed too often. */
  | { readonly kind: 'too-often'; readonly waitMs: number };

/** Of registrations that change something, a device. */
export type RegistrationQuota = { readonly perMinute: number; readonly burst: number };

export type DevicesOptions = {
  readonly store: Store;
  readonly clock: Clock;
  readonly quota: RegistrationQuota;
  /** How long an unchanged registration is remembered where nobody tells of a change. */
  readonly rememberMs: number;
  /** To all other workers, before and after a change: they forget it. */
  readonly tellChanged: (ref: DeviceKey) => void;
  /** Once a move or a deletion is stored, and before it is answered. */
  readonly onTokensEnded: (end: TokenEnd) => void;
};

export type RemoveOutcome = { readonly kind: 'removed' | 'missing' } | { readonly kind: 'other-version'; readonly version: number };

export type Devices = {
  /** The row stays, so that nobody takes the id again. */
  readonly remove: (input: DeviceKey & { readonly condition: VersionCondition }) => Promise<RemoveOutcome>;
  /** `trusted`: the account itself asks, so no device secret is needed. Attributes undefined: only prove or create. */
  readonly register: (
    input: DeviceKey & {
      readonly secret: string | undefined;
      readonly trusted: boolean;
      readonly user: string | undefined;
      readonly attributes: Registration | undefined;
      /** Of the registration's version. */
      readonly condition: VersionCondition;
      /** Before something is written: rejects where the account may not. */
      readonly beforeChange: () => void | Promise<void>;
    },
  ) => Promise<RegisterOutcome>;
  readonly read: (key: DeviceKey) => Promise<DeviceRow | undefined>;
  /** Others changed them. */
  readonly forget: KnownRegistrations['forget'];
};

// Two registrations of one device may race; the loser reads again. More rounds than this would mean a broken store.
const attemptsMax = 10;

export function createDevices(options: DevicesOptions): Devices {
  const { store, clock } = options;
  const known = createKnownRegistrations({ clock, goodForMs: options.rememberMs });
  const parts = { ...options, known };
  return {
    read: (key) => store.readDevice(key),
    forget: known.forget,
    remove: async (input) => {
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const outcome = await tryRemove(input, parts);
        if (outcome !== undefined) return outcome;
      }
      throw new Error(`device ${input.device} was changed ${attemptsMax} times while it was being deleted`);
    },
    register: async (input) => {
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const outcome = await tryRegister(input, parts);
        if (outcome !== undefined) return outcome;
      }
      throw new Error(`device ${input.device} was changed ${attemptsMax} times while it was being registered`);
    },
  };
}

type Parts = DevicesOptions & { readonly known: KnownRegistrations };
type Input = Parameters<Devices['register']>[0];

async function tryRegister(input: Input, parts: Parts): Promise<RegisterOutcome | undefined> {
  const { store, clock, quota, known } = parts;
  const key = { account: input.account, device: input.device };
  const text = input.attributes === undefined ? undefined : sorted(input.attributes);
  const { condition, secret, trusted } = input;
  if (condition.kind === 'any' && text !== undefined && known.isKnown({ ...key, secret, trusted, user: input.user, text })) return unchanged;
  const learn = text === undefined ? undefined : known.begin(key, text);
  const row = await store.readDevice(key);
  if (row === undefined) return meetsVersions(condition, undefined) ? create(input, parts) : { kind: 'other-version', version: undefined };
  if (!trusted && (secret === undefined || !matchesDigest(secret, row.secretDigest))) return { kind: 'unproven' };
  if (row.deleted) return { kind: 'deleted' };
  if (!meetsVersions(condition, row.version)) return { kind: 'other-version', version: row.version };
  const attributes = input.attributes ?? row.attributes;
  const user = input.user ?? row.user;
  if (user === row.user && (text === undefined || text === sorted(row.attributes))) {
    learn?.(row);
    return { kind: 'known', changed: false, row };
  }
  const nowMs = clock.wallMs();
  const bucket = filledTo(row.quota, { ratePerSecond: quota.perMinute / 60, burst: quota.burst, nowMs });
  if (bucket.tokens < 1) return { kind: 'too-often', waitMs: ((1 - bucket.tokens) * 60_000) / quota.perMinute };
  await input.beforeChange();
  const spent = { ...bucket, tokens: bucket.tokens - 1 };
  // Whoever leaves a user leaves its tokens there: they read what is the former user's.
  const generation = row.user === undefined || row.user === user ? row.generation : row.generation + 1;
  const bare = { ...row, version: row.version + 1, generation, changedAtMs: nowMs, attributes, quota: spent };
  const changed: DeviceRow = { ...bare, ...(user === undefined ? {} : { user }) };
  return (await put(key, row, changed, parts)) ? { kind: 'known', changed: true, row: changed } : undefined;
}

const unchanged: RegisterOutcome = { kind: 'known', changed: false, row: undefined };

async function create(input: Input, { store, clock, quota }: Parts): Promise<RegisterOutcome | undefined> {
  await input.beforeChange();
  const nowMs = clock.wallMs();
  const secret = randomBytes(32).toString('base64url');
  const row: DeviceRow = {
    version: 1,
    secretDigest: digestOf(secret),
    ...(input.user === undefined ? {} : { user: input.user }),
    generation: 1,
    deleted: false,
    registeredAtMs: nowMs,
    changedAtMs: nowMs,
    quota: { tokens: quota.burst - 1, atMs: nowMs },
    attributes: input.attributes ?? {},
  };
  const stored = await store.putDevice({ account: input.account, device: input.device, expected: undefined, row });
  return stored.kind === 'stored' ? { kind: 'created', secret, row } : undefined;
}

async function tryRemove({ account, device, condition }: Parameters<Devices['remove']>[0], parts: Parts): Promise<RemoveOutcome | undefined> {
  const key = { account, device };
  const row = await parts.store.readDevice(key);
  if (row === undefined || row.deleted) return { kind: 'missing' };
  if (!meetsVersions(condition, row.version)) return { kind: 'other-version', version: row.version };
  const changedAtMs = parts.clock.wallMs();
  const gone: DeviceRow = { ...row, version: row.version + 1, generation: row.generation + 1, deleted: true, changedAtMs, attributes: {} };
  return (await put(key, row, gone, parts)) ? { kind: 'removed' } : undefined;
}

/** Forgotten before and after: who read in between learns nothing that is not so any more. */
async function put(key: DeviceKey, before: DeviceRow, row: DeviceRow, { store, known, tellChanged, onTokensEnded }: Parts): Promise<boolean> {
  const tell = (): void => {
    known.forget([key]);
    tellChanged(key);
  };
  tell();
  const { kind } = await store.putDevice({ ...key, expected: before.version, row });
  tell();
  if (kind === 'stored' && row.generation > before.generation) onTokensEnded({ ...key, generation: row.generation });
  return kind === 'stored';
}

const sorted = (attributes: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(
    Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)),
    (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  );
