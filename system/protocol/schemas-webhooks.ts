/** Shapes of the webhook routes. */
import { type Static, Type } from 'typebox';
import { Instant } from './schemas.ts';
import { deliveriesPageMax, overlapSecondsMax, webhookTypes, webhookUrlCharactersMax } from './webhooks.ts';

const Url = Type.String({ minLength: 8, maxLength: webhookUrlCharactersMax });
const Types = Type.Array(Type.Union(webhookTypes.map((type) => Type.Literal(type))), { minItems: 1, maxItems: webhookTypes.length, uniqueItems: true });
const Description = Type.String({ maxLength: 200 });

export const WebhookBody = Type.Object({ url: Url, types: Types, description: Type.Optional(Description) }, { additionalProperties: false });
export type WebhookBody = Static<typeof WebhookBody>;
export const WebhookPatch = Type.Object(
  {
    url: Type.Optional(Url),
    types: Type.Optional(Types),
    description: Type.Optional(Description),
    enabled: Type.Optional(Type.Boolean({ description: 'true sends a handshake where the webhook is not active' })),
  },
  { additionalProperties: false },
);
export type WebhookPatch = Static<typeof WebhookPatch>;
export const WebhookParams = Type.Object({ id: Type.String({ pattern: '^wh_[0-9a-f]{24}$' }) });
export type WebhookParams = Static<typeof WebhookParams>;
export const ConfirmQuery = Type.Object({ token: Type.String({ minLength: 1, maxLength: 400 }) }, { additionalProperties: false });
export type ConfirmQuery = Static<typeof ConfirmQuery>;
export const RotateBody = Type.Object(
  { overlap_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: overlapSecondsMax, description: 'how long the secret before holds' })) },
  { additionalProperties: false },
);
export type RotateBody = Static<typeof RotateBody>;
export const DeliveriesQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: deliveriesPageMax })),
    pagination_token: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$' })),
  },
  { additionalProperties: false },
);
export type DeliveriesQuery = Static<typeof DeliveriesQuery>;
export const ReplayBody = Type.Object(
  {
    event_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    from: Type.Optional(Type.String({ ...Instant, maxLength: 40 })),
    to: Type.Optional(Type.String({ ...Instant, maxLength: 40 })),
  },
  { additionalProperties: false },
);
export type ReplayBody = Static<typeof ReplayBody>;
