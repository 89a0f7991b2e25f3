/** For the description: what is asked of handlers that read it themselves, as bytes, as GraphQL or as headers. */
import { Type } from 'typebox';
import { limits } from './limits.ts';

const examples = {
  query: ['{ devices(first: 3) { items { id presence } after } }', 'query Days($from: Date) { usage(from: $from) { date events } }', '{ __typename }'],
};
const Query = Type.String({ maxLength: limits.graphqlBytesMax, examples: examples.query });
const GraphqlBody = Type.Object({
  query: Query,
  operationName: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  variables: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
});
/** Any JSON; its bytes are kept as they are. */
const ItemBody = Type.Unknown({ examples: [{ title: 'Home', stops: [52.3, 4.9] }, {}, 'done', [1, null]] });

const body = (schema: object) => ({ requestBody: { required: true, content: { 'application/json': { schema } } } });
const header = (name: string, description: string) => ({ in: 'header', name, description, schema: { type: 'string' } });
const query = (name: string, schema: object, required = false) => ({ in: 'query', name, required, schema });

const conditions = [
  header('If-Match', 'tags of what may be there, as "v3", "v4", or *'),
  header('If-None-Match', 'tags of what may not be there, or * where nothing may be'),
];
const known = [
  header('If-None-Match', 'tags of what the client has: 304 where it is still so'),
  header('If-Match', 'tags of what it wants: 412 for another one'),
];
const idempotency = header('Idempotency-Key', `the same batch under the same key has the same answer; up to ${limits.idempotencyKeyCharactersMax} characters`);

type Asked = { readonly requestBody?: object; readonly parameters?: readonly object[] };

/** By method and path; added to what the route's schemas say. */
export const asked: Readonly<Record<string, Asked>> = {
  'post /v1/events': { parameters: [idempotency] },
  'put /v1/sync/{collection}/{item}': { ...body(ItemBody), parameters: conditions },
  'delete /v1/sync/{collection}/{item}': { parameters: conditions },
  'put /v1/devices/{id}': { parameters: conditions },
  'delete /v1/devices/{id}': { parameters: conditions },
  'get /v1/devices/{id}': { parameters: known },
  'get /v1/devices/{id}/location': { parameters: known },
  'get /v1/devices/{id}/context': { parameters: known },
  'get /v1/sync/{collection}/{item}': { parameters: known },
  'get /v1/stream': { parameters: [header('Last-Event-ID', 'where an EventSource goes on; it beats since')] },
  'get /graphql': { parameters: [query('query', Query, true), query('operationName', Type.String()), query('variables', Type.String({ examples: ['{}'] }))] },
  'post /graphql': body(GraphqlBody),
};

/** What generated clients call each route, by method and path. */
export const operationIds: Readonly<Record<string, string>> = {
  'get /healthz': 'getHealth',
  'get /readyz': 'getReadiness',
  'get /metrics': 'getMetrics',
  'get /v1/connection': 'getConnection',
  'get /v1/limits': 'getLimits',
  'post /v1/authenticate': 'authenticateDevice',
  'post /v1/tokens': 'mintUserToken',
  'get /v1/devices': 'listDevices',
  'put /v1/devices/{id}': 'registerDevice',
  'get /v1/devices/{id}': 'getDevice',
  'delete /v1/devices/{id}': 'deleteDevice',
  'get /v1/devices/{id}/context': 'getDeviceContext',
  'get /v1/devices/{id}/location': 'getDeviceLocation',
  'get /v1/devices/{id}/history': 'getDeviceHistory',
  'post /v1/events': 'ingestEvents',
  'get /v1/export': 'exportEvents',
  'get /v1/usage': 'getUsage',
  'put /v1/sync/{collection}/{item}': 'putItem',
  'get /v1/sync/{collection}/{item}': 'getItem',
  'delete /v1/sync/{collection}/{item}': 'deleteItem',
  'get /v1/sync/{collection}': 'listChanges',
  'get /v1/sync/{collection}/snapshot': 'getSnapshot',
  'post /v1/shares': 'shareItem',
  'get /v1/shares': 'listShares',
  'get /v1/shares/{id}': 'getShare',
  'delete /v1/shares/{id}': 'revokeShare',
  'get /v1/stream': 'openStream',
  'get /graphql': 'queryGraphql',
  'post /graphql': 'postGraphql',
  'post /v1/webhooks': 'makeWebhook',
  'get /v1/webhooks': 'listWebhooks',
  'get /v1/webhooks/confirm': 'confirmWebhook',
  'get /v1/webhooks/{id}': 'getWebhook',
  'patch /v1/webhooks/{id}': 'changeWebhook',
  'delete /v1/webhooks/{id}': 'deleteWebhook',
  'post /v1/webhooks/{id}/rotate': 'rotateWebhookSecret',
  'post /v1/webhooks/{id}/test': 'testWebhook',
  'get /v1/webhooks/{id}/deliveries': 'listDeliveries',
  'post /v1/webhooks/{id}/replay': 'replayDeliveries',
};
