/** For the description: what is asked of handlers that read it themselves, as bytes, as GraphQL or as headers. */
import { Type } from 'typebox';
import { limits } from './limits.ts';

const examples = {
  query: ['{ devices(first: 3) { nodes { id presence } } }', 'query Days($from: Date) { usage(from: $from) { date events } }', '{ __typename }'],
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
const idempotency = header('Idempotency-Key', `the same batch under the same key has the same answer; up to ${limits.idempotencyKeyCharactersMax} characters`);

type Asked = { readonly requestBody?: object; readonly parameters?: readonly object[] };

/** By method and path; added to what the route's schemas say. */
export const asked: Readonly<Record<string, Asked>> = {
  'post /v1/events': { parameters: [idempotency] },
  'put /v1/sync/{collection}/{item}': { ...body(ItemBody), parameters: conditions },
  'delete /v1/sync/{collection}/{item}': { parameters: conditions },
  'delete /v1/devices/{id}': { parameters: [{ ...conditions[0], required: true }] },
  'get /v1/stream': { parameters: [header('Last-Event-ID', 'where an EventSource goes on; it beats since')] },
  'get /graphql': { parameters: [query('query', Query, true), query('operationName', Type.String()), query('variables', Type.String({ examples: ['{}'] }))] },
  'post /graphql': body(GraphqlBody),
};
