/** Bodies of answers that handlers write themselves: nothing may be in them that is not here. */
import { type TProperties, Type } from 'typebox';
import { RegisterBody } from './schemas.ts';
import { webhookTypes } from './webhooks.ts';

export const closed = <Properties extends TProperties>(properties: Properties) => Type.Object(properties, { additionalProperties: false });
const Text = Type.String();
const Whole = Type.Integer();
const Count = Type.Integer({ minimum: 0 });
const May = Type.Optional;
/** As `toISOString` writes it. */
const Time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' });
/** As the device wrote it. */
const RecordedAt = Text;
const page = { pagination_token: May(Text) };

const { device_secret: _secret, user_token: _token, ...registered } = RegisterBody.properties;
export const DeviceShape = closed({ ...registered, platform: May(Text), app_version: May(Text), device_id: Text, registered_at: Time, changed_at: Time });
export const DevicesShape = closed({ devices: Type.Array(DeviceShape), ...page });
export const LocationShape = closed({
  device_id: Text,
  id: Text,
  recorded_at: RecordedAt,
  position: Text,
  data: Type.Object({}, { additionalProperties: true }),
});
export const HistoryShape = closed({
  events: Type.Array(closed({ position: Text, disposition: Text, id: Text, received_at: Time, event: Type.Object({}, { additionalProperties: true }) })),
  ...page,
});

const Said = May(closed({ value: Text, since: Time, recorded_at: RecordedAt, data: May(Type.Unknown()) }));
export const ContextShape = closed({
  device_id: Text,
  presence: closed({ value: Type.Union([Type.Literal('online'), Type.Literal('offline')]), since: May(Time) }),
  activity: Said,
  trip: Said,
  health: Said,
  battery: Said,
  permission: Said,
  place: May(closed({ lat: Type.Number(), lon: Type.Number(), since: Time, until: Time })),
  clock: May(closed({ offset_ms: Type.Number(), since: Time })),
});

/** Beside these every limit is a number, a list of numbers, or a table of them by lane. */
export const LimitsShape = Type.Object(
  {
    instant_min: Time,
    instant_max: Time,
    durability: Type.Union([Type.Literal('fsync'), Type.Literal('memory')]),
    events_per_batch_max: Whole,
    event_bytes_max: Whole,
    lanes: Type.Array(closed({ lane: Text, share_percent: Type.Number(), ceiling_percent: Type.Number(), waits_ms: Type.Number() })),
  },
  { additionalProperties: Type.Union([Type.Number(), Type.Array(Type.Number()), Type.Record(Text, Type.Number())]) },
);

const change = { ch: Text, k: Text, ver: Whole, c: Text, ts: Time };
export const ChangesShape = closed({
  changes: Type.Array(Type.Union([closed({ t: Type.Literal('put'), ...change, d: Type.Unknown() }), closed({ t: Type.Literal('del'), ...change })])),
  cursor: Text,
  up_to_date: Type.Boolean(),
});
export const WrittenShape = closed({ item: Text, version: Whole, cursor: Text });
export const ItemShape = closed({ item: Text, version: Whole, updated_at: Time, data: Type.Unknown() });
export const SnapshotShape = closed({ items: Type.Array(closed({ k: Text, ver: Whole, ts: Time, d: Type.Unknown() })), cursor: Text, page_token: May(Text) });

export const ShareShape = closed({
  share_id: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  collection: Text,
  item: Text,
  to: Type.Union([closed({ user: Text }), closed({ account: Text })]),
  created_at: Time,
});
export const SharesShape = closed({ shares: Type.Array(ShareShape), ...page });

const webhook = {
  webhook_id: Type.String({ pattern: '^wh_[0-9a-f]{24}$' }),
  url: Text,
  types: Type.Array(Type.Union(webhookTypes.map((type) => Type.Literal(type)))),
  description: May(Text),
  state: Type.Union([Type.Literal('pending'), Type.Literal('active'), Type.Literal('disabled')]),
  reason: May(Text),
  confirm_until: May(Time),
  created_at: Time,
  secrets: Count,
  waiting: Count,
  dropped: Count,
  failures_in_a_row: Count,
  paused_until: May(Time),
};
const secret = Type.String({ pattern: '^whsec_' });
export const WebhookShape = closed(webhook);
/** Its secret is told once. */
export const MadeWebhookShape = closed({ ...webhook, secret });
export const WebhooksShape = closed({ webhooks: Type.Array(WebhookShape) });
export const ConfirmedShape = closed({ webhook_id: webhook.webhook_id, state: webhook.state });
export const RotatedShape = closed({ webhook_id: webhook.webhook_id, secret, previous_until: May(Time) });
export const TestedShape = closed({ event_id: Text });
export const ReplayedShape = closed({ replayed: Count, dropped: Count });
export const DeliveriesShape = closed({
  deliveries: Type.Array(
    closed({
      event_id: Text,
      type: Text,
      state: Type.Union([Type.Literal('waiting'), Type.Literal('sending'), Type.Literal('delivered'), Type.Literal('dead')]),
      created_at: Time,
      attempts_made: Count,
      next_attempt_at: May(Time),
      attempts: Type.Array(closed({ at: Time, took_ms: Type.Number({ minimum: 0 }), status: May(Whole), error: May(Text) })),
    }),
  ),
  ...page,
});
