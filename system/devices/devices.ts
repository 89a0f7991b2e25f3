/** Registration, authentication, reading. Outcomes are values; the routes turn them into HTTP. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#system/clock.ts';
import type { RegisterBody } from '#system/protocol/schemas.ts';
import type { DeviceRow, Store } from '#system/store/store.ts';

export type DeviceKey = { readonly account: string; readonly device: string };
export type Registration = Omit<RegisterBody, 'device_secret' | 'user_token' | 'user'>;

export type RegisterOutcome =
  | { readonly kind: 'created'; readonly secret: string; readonly row: DeviceRow }
  | { readonly kind: 'known'; readonly changed: boolean; readonly row: DeviceRow }
  | { readonly kind: 'unproven' }
  | { readonly kind: 'deleted' };

export type RemoveOutcome = { readonly kind: 'removed' | 'missing' } | { readonly kind: 'other-version'; readonly version: number };

export type Devices = {
  /** `expected`: only where this is its version. The row stays, so that nobody takes the id again. */
  readonly remove: (input: DeviceKey & { readonly expected: number | undefined }) => Promise<RemoveOutcome>;
  /** `trusted`: the account itself asks, so no device secret is needed. Attributes undefined: only prove or create. */
  readonly register: (
    input: DeviceKey & {
      readonly secret: string | undefined;
      readonly trusted: boolean;
      readonly user: string | undefined;
      readonly attributes: Registration | undefined;
    },
  ) => Promise<RegisterOutcome>;
  readonly read: (key: DeviceKey) => Promise<DeviceRow | undefined>;
};

const digestOf = (secret: string): string => hash('sha256', secret, 'hex');
const matches = (secret: string, digest: string): boolean => timingSafeEqual(Buffer.from(digestOf(secret)), Buffer.from(digest));
// Two registrations of one device may race; the loser reads again. More rounds than this would mean a broken store.
const attemptsMax = 10;

export function createDevices({ store, clock }: { readonly store: Store; readonly clock: Clock }): Devices {
  return {
    read: (key) => store.readDevice(key),
    remove: async (input) => {
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const outcome = await tryRemove(input, store, clock.wallMs());
        if (outcome !== undefined) return outcome;
      }
      throw new Error(`device ${input.device} was changed ${attemptsMax} times while it was being deleted`);
    },
    register: async (input) => {
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const outcome = await tryRegister(input, store, clock.wallMs());
        if (outcome !== undefined) return outcome;
      }
      throw new Error(`device ${input.device} was changed ${attemptsMax} times while it was being registered`);
    },
  };
}

async function tryRemove({ account, device, expected }: Parameters<Devices['remove']>[0], store: Store, nowMs: number): Promise<RemoveOutcome | undefined> {
  const row = await store.readDevice({ account, device });
  if (row === undefined || row.deleted) return { kind: 'missing' };
  if (expected !== undefined && row.version !== expected) return { kind: 'other-version', version: row.version };
  const gone: DeviceRow = { ...row, version: row.version + 1, generation: row.generation + 1, deleted: true, changedAtMs: nowMs, attributes: {} };
  const stored = await store.putDevice({ account, device, expected: row.version, row: gone });
  return stored.kind === 'stored' ? { kind: 'removed' } : undefined;
}

async function tryRegister(input: Parameters<Devices['register']>[0], store: Store, nowMs: number): Promise<RegisterOutcome | undefined> {
  const key = { account: input.account, device: input.device };
  const row = await store.readDevice(key);
  if (row === undefined) {
    const secret = randomBytes(32).toString('base64url');
    const created: DeviceRow = {
      version: 1,
      secretDigest: digestOf(secret),
      ...(input.user === undefined ? {} : { user: input.user }),
      generation: 1,
      deleted: false,
      registeredAtMs: nowMs,
      changedAtMs: nowMs,
      attributes: input.attributes ?? {},
    };
    const stored = await store.putDevice({ ...key, expected: undefined, row: created });
    return stored.kind === 'stored' ? { kind: 'created', secret, row: created } : undefined;
  }
  if (!input.trusted && (input.secret === undefined || !matches(input.secret, row.secretDigest))) return { kind: 'unproven' };
  if (row.deleted) return { kind: 'deleted' };
  const attributes = input.attributes ?? row.attributes;
  const user = input.user ?? row.user;
  if (user === row.user && sameAttributes(attributes, row.attributes)) return { kind: 'known', changed: false, row };
  const changed: DeviceRow = { ...row, version: row.version + 1, changedAtMs: nowMs, attributes, ...(user === undefined ? {} : { user }) };
  const stored = await store.putDevice({ ...key, expected: row.version, row: changed });
  return stored.kind === 'stored' ? { kind: 'known', changed: true, row: changed } : undefined;
}

const sorted = (attributes: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(
    Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)),
    (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  );
const sameAttributes = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean => sorted(a) === sorted(b);
