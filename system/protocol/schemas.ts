/** Shapes on the wire: validation, TypeScript types and the OpenAPI description come from these. */
import { type Static, Type } from 'typebox';
import { collectionPattern, devicePattern, dots, itemPattern, reservedItem } from './channels.ts';
import { limits } from './limits.ts';

export const DeviceId = Type.String({ minLength: 1, maxLength: limits.deviceIdCharactersMax, pattern: devicePattern, not: { enum: dots } });

export const eventTypes = ['location', 'activity', 'battery', 'permission', 'health', 'trip'] as const;
export type EventType = (typeof eventTypes)[number];

export const Instant = Type.String({ description: 'RFC 3339', examples: ['2026-11-25T07:00:00.000Z', '2026-11-25T08:00:00+01:00'] });
const place = {
  type: 'object',
  additionalProperties: true,
  required: ['lat', 'lon'],
  properties: { lat: { minimum: -90, maximum: 90 }, lon: { minimum: -180, maximum: 180 } },
};
export const EventItem = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: limits.eventIdCharactersMax }),
    type: Type.Union(eventTypes.map((type) => Type.Literal(type))),
    recorded_at: Instant,
    data: Type.Object({}, { additionalProperties: true }),
  },
  {
    if: { properties: { type: { const: 'location' } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { additionalProperties: true, properties: { data: place } },
    examples: [
      { id: 'e-1', type: 'location', recorded_at: '2026-11-25T07:00:00.000Z', data: { lat: 52.37, lon: 4.89, accuracy: 8 } },
      { id: 'e-2', type: 'activity', recorded_at: '2026-11-25T07:00:01.000Z', data: { value: 'walk' } },
    ],
  },
);
export type EventItem = { readonly id: string; readonly type: EventType; readonly recorded_at: string; readonly data: Readonly<Record<string, unknown>> };

const EventItems = Type.Array(EventItem, { minItems: 1, maxItems: limits.eventsPerBatchMax });
/** For the description: `parseBatch` reads the bytes themselves, and a wrong item is refused by itself. */
export const IngestBody = Type.Union([EventItems, Type.Object({ events: EventItems, sent_at: Type.Optional(Instant) })]);
export const rejectionCodes = ['bad-item', 'bad-id', 'bad-type', 'bad-time', 'bad-data', 'item-too-large'] as const;
export type RejectionCode = (typeof rejectionCodes)[number];
export const IngestAnswer = Type.Object({
  accepted: Type.Integer(),
  duplicate: Type.Integer(),
  rejected: Type.Array(
    Type.Object({ index: Type.Integer(), id: Type.Union([Type.String(), Type.Null()]), code: Type.Union(rejectionCodes.map((code) => Type.Literal(code))) }),
  ),
  position: Type.String(),
  durability: Type.String(),
});

export const AuthenticateBody = Type.Object(
  { device_id: DeviceId, device_secret: Type.Optional(Type.String({ maxLength: 200 })) },
  { additionalProperties: false },
);
export type AuthenticateBody = Static<typeof AuthenticateBody>;
export const AuthenticateAnswer = Type.Object({
  token_type: Type.Literal('Bearer'),
  access_token: Type.String(),
  expires_in: Type.Integer(),
  device_secret: Type.Optional(Type.String()),
});

export const TokensBody = Type.Object(
  {
    user: Type.String({ minLength: 1, maxLength: 64 }),
    scopes: Type.Array(Type.String({ pattern: '^ch:.{1,80}$' }), { minItems: 1, maxItems: 32 }),
    expires_in: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.userTokenSecondsMax })),
  },
  { additionalProperties: false },
);
export type TokensBody = Static<typeof TokensBody>;

export const RegisterBody = Type.Object(
  {
    device_secret: Type.Optional(Type.String({ maxLength: 200 })),
    user_token: Type.Optional(Type.String({ maxLength: 4000 })),
    user: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    name: Type.Optional(Type.String({ maxLength: 200 })),
    platform: Type.String({ minLength: 1, maxLength: 40 }),
    app_version: Type.String({ minLength: 1, maxLength: 40 }),
    push_token: Type.Optional(Type.String({ maxLength: 500 })),
    metadata: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 500 }))),
  },
  { additionalProperties: false },
);
export type RegisterBody = Static<typeof RegisterBody>;

export const AccountBody = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 100 }), quotas: Type.Optional(Type.Record(Type.String(), Type.Number({ minimum: 0 }))) },
  { additionalProperties: false },
);
export type AccountBody = Static<typeof AccountBody>;
export const AccountAnswer = Type.Object({ account_id: Type.String(), secret: Type.String(), publishable_key: Type.String() });

export const DeviceParams = Type.Object({ id: DeviceId });
export type DeviceParams = Static<typeof DeviceParams>;

export const HistoryQuery = Type.Object(
  {
    from: Type.Optional(Instant),
    to: Type.Optional(Instant),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.historyPageMax })),
    pagination_token: Type.Optional(Type.String({ maxLength: 100 })),
    include: Type.Optional(Type.Literal('filtered')),
  },
  { additionalProperties: false },
);
export type HistoryQuery = Static<typeof HistoryQuery>;

export const DevicesQuery = Type.Object(
  { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.devicesPageMax })), pagination_token: Type.Optional(Type.String({ maxLength: 100 })) },
  { additionalProperties: false },
);
export type DevicesQuery = Static<typeof DevicesQuery>;

export const ExportQuery = Type.Object(
  { after: Type.Optional(Type.String({ maxLength: 8000 })), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.exportPageMax })) },
  { additionalProperties: false },
);
export type ExportQuery = Static<typeof ExportQuery>;

const Day = Type.Optional(Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: 'a UTC date, inclusive' }));
export const UsageQuery = Type.Object({ from: Day, to: Day }, { additionalProperties: false });
export type UsageQuery = Static<typeof UsageQuery>;
export const UsageAnswer = Type.Object({
  days: Type.Array(
    Type.Object({
      date: Type.String(),
      events: Type.Integer(),
      calls: Type.Integer(),
      registrations: Type.Integer(),
      stream_minutes: Type.Number(),
      active_devices: Type.Integer(),
    }),
  ),
});
export type UsageAnswer = Static<typeof UsageAnswer>;

export const BackupBody = Type.Object({ folder: Type.String({ minLength: 1, maxLength: 4000 }) }, { additionalProperties: false });
export type BackupBody = Static<typeof BackupBody>;

const Collection = Type.String({ pattern: collectionPattern, not: { enum: dots } });
/** `…/snapshot` is the collection's. */
const Item = Type.String({ pattern: itemPattern, not: { enum: [...dots, reservedItem] } });
export const CollectionParams = Type.Object({ collection: Collection });
export type CollectionParams = Static<typeof CollectionParams>;
export const ItemParams = Type.Object({ collection: Collection, item: Item });
export type ItemParams = Static<typeof ItemParams>;

const Page = Type.Optional(Type.Integer({ minimum: 1, maximum: limits.changesPageMax }));
export const ChangesQuery = Type.Object({ since: Type.Optional(Type.String({ maxLength: 100 })), limit: Page }, { additionalProperties: false });
export type ChangesQuery = Static<typeof ChangesQuery>;
export const SnapshotQuery = Type.Object({ page_token: Type.Optional(Type.String({ maxLength: 300 })), limit: Page }, { additionalProperties: false });
export type SnapshotQuery = Static<typeof SnapshotQuery>;

export const ShareBody = Type.Object(
  {
    collection: Collection,
    item: Item,
    to: Type.Union([
      Type.Object({ user: Type.String({ minLength: 1, maxLength: 64 }) }, { additionalProperties: false }),
      Type.Object({ account: Type.String({ minLength: 1, maxLength: 64 }) }, { additionalProperties: false }),
    ]),
  },
  { additionalProperties: false },
);
export type ShareBody = Static<typeof ShareBody>;
export const ShareParams = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{32}$' }) });
export type ShareParams = Static<typeof ShareParams>;
export const SharesQuery = Type.Object(
  { limit: Page, pagination_token: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })) },
  { additionalProperties: false },
);
export type SharesQuery = Static<typeof SharesQuery>;

export const StreamQuery = Type.Object({
  ch: Type.Array(Type.String({ minLength: 1, maxLength: 4000, examples: ['devices', 'inbox', 'sync:trips', 'sync:trips,inbox'] }), {
    minItems: 1,
    maxItems: 1000,
    description: 'channels, each by itself or with commas between',
  }),
  since: Type.Optional(Type.String({ maxLength: 100, description: 'a cursor, -1 for all that is retained, or now', examples: ['-1', 'now'] })),
  hb: Type.Optional(Type.Integer({ description: 'milliseconds of silence after which a heartbeat comes' })),
  mode: Type.Optional(Type.Union([Type.Literal('stream'), Type.Literal('longpoll')])),
  access_token: Type.Optional(Type.String({ maxLength: 4000, description: 'for an EventSource, which cannot send headers' })),
});
export type StreamQuery = Static<typeof StreamQuery>;
