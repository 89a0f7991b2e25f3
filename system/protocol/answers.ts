/** What each route answers, for the description at /openapi.json: handlers write their bodies themselves, so this is what says their shape, and the fuzz holds them to it. */
import { type TSchema, Type } from 'typebox';
import { problems } from './errors.ts';

const anything = { additionalProperties: true };
const Text = Type.String();
const Whole = Type.Integer();
const Time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' });

export const ProblemAnswer = Type.Object(
  {
    type: Text,
    title: Text,
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Text,
    instance: Text,
    code: Type.Union(Object.keys(problems).map((code) => Type.Literal(code))),
    request_id: Text,
    retryable: Type.Boolean(),
  },
  anything,
);

type Answer = { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema: TSchema }>> };
const json = (schema: TSchema, description = 'As asked'): Answer => ({ description, content: { 'application/json': { schema } } });
const ndjson = { 'application/x-ndjson': { schema: Text } };
const nothing: Answer = { description: 'Nothing to say' };
const unchanged: Answer = { description: 'As the client has it' };
const page = { pagination_token: Type.Optional(Text) };

const Device = Type.Object({ device_id: Text, registered_at: Time, changed_at: Time }, anything);
const Written = Type.Object({ item: Text, version: Whole, cursor: Text });
const Webhook = Type.Object({}, anything);

const problemContent = { 'application/problem+json': { schema: ProblemAnswer } };
const GraphqlAnswer = Type.Object(
  { data: Type.Optional(Type.Unknown()), errors: Type.Optional(Type.Array(Type.Object({ message: Text }, anything))) },
  anything,
);
const graphqlContent = {
  'application/graphql-response+json': { schema: GraphqlAnswer },
  'application/json': { schema: GraphqlAnswer },
  'text/event-stream': { schema: Text },
};
/** GraphQL over HTTP says how its own errors look. */
const graphql = {
  200: { description: 'As GraphQL over HTTP has it', content: graphqlContent },
  '4XX': { description: 'Refused by us, or by GraphQL', content: { ...problemContent, ...graphqlContent } },
};

const successes: Readonly<Record<string, Readonly<Record<string, Answer>>>> = {
  'get /v1/export': { 200: { description: 'A line an event', content: ndjson } },
  'post /v1/tokens': { 201: json(Type.Object({ access_token: Text, expires_in: Whole })) },
  'put /v1/devices/{id}': { 200: json(Type.Object({ changed: Type.Boolean() })), 201: json(Type.Object({ device_secret: Text })) },
  'get /v1/devices/{id}': { 200: json(Device), 304: unchanged },
  'delete /v1/devices/{id}': { 204: nothing },
  'get /v1/devices/{id}/location': {
    200: json(Type.Object({ device_id: Text, id: Text, recorded_at: Text, position: Text, data: Type.Object({}, anything) })),
    304: unchanged,
  },
  'get /v1/devices/{id}/history': {
    200: {
      description: 'In order of acceptance',
      content: {
        ...ndjson,
        'application/json': {
          schema: Type.Object({
            events: Type.Array(Type.Object({ position: Text, disposition: Text, id: Text, received_at: Time, event: Type.Unknown() })),
            ...page,
          }),
        },
      },
    },
  },
  'get /v1/devices': { 200: json(Type.Object({ devices: Type.Array(Type.Object({ device_id: Text }, anything)), ...page })) },
  'get /v1/devices/{id}/context': { 200: json(Type.Object({ device_id: Text }, anything)), 304: unchanged },
  'get /healthz': { 200: json(Type.Object({ alive: Type.Literal(true) })) },
  'get /readyz': { 200: json(Type.Object({ ready: Type.Literal(true) })) },
  'get /v1/connection': { 200: json(Type.Object({ client_address: Text, client_port: Whole })) },
  'get /v1/limits': { 200: json(Type.Object({ durability: Text, events_per_batch_max: Whole, event_bytes_max: Whole }, anything)) },
  'get /metrics': { 200: { description: 'Prometheus text', content: { 'text/plain': { schema: Text } } } },
  'put /v1/sync/{collection}/{item}': { 200: json(Written), 201: json(Written) },
  'get /v1/sync/{collection}/{item}': { 200: json(Type.Unknown()), 304: unchanged },
  'delete /v1/sync/{collection}/{item}': { 204: nothing },
  'get /v1/sync/{collection}': { 200: json(Type.Object({ changes: Type.Array(Type.Object({}, anything)), cursor: Text, up_to_date: Type.Boolean() })) },
  'get /v1/sync/{collection}/snapshot': {
    200: json(
      Type.Object({ items: Type.Array(Type.Object({ k: Text, ver: Whole, ts: Time, d: Type.Unknown() })), cursor: Text, page_token: Type.Optional(Text) }),
    ),
  },
  'post /v1/shares': { 201: json(Type.Object({ share_id: Text }, anything)) },
  'get /v1/shares': { 200: json(Type.Object({ shares: Type.Array(Type.Object({ share_id: Text }, anything)), ...page })) },
  'get /v1/shares/{id}': { 200: json(Type.Object({ share_id: Text }, anything)) },
  'delete /v1/shares/{id}': { 204: nothing },
  'get /v1/stream': { 200: { description: 'Frames', content: { ...ndjson, 'text/event-stream': { schema: Text } } }, 204: nothing },
  'get /graphql': graphql,
  'post /graphql': graphql,
  'get /v1/usage': { 200: json(Type.Object({}, anything)) },
  'post /v1/webhooks': { 201: json(Webhook) },
  'get /v1/webhooks': { 200: json(Webhook) },
  'get /v1/webhooks/confirm': { 200: json(Webhook) },
  'get /v1/webhooks/{id}': { 200: json(Webhook) },
  'patch /v1/webhooks/{id}': { 200: json(Webhook) },
  'delete /v1/webhooks/{id}': { 204: nothing },
  'post /v1/webhooks/{id}/rotate': { 200: json(Webhook) },
  'post /v1/webhooks/{id}/test': { 202: json(Webhook) },
  'get /v1/webhooks/{id}/deliveries': { 200: json(Webhook) },
  'post /v1/webhooks/{id}/replay': { 202: json(Webhook) },
};

const problem = (description: string): Answer => ({ description, content: problemContent });
/** Of every route; a 500 is described nowhere. */
const refusals = { '4XX': problem('Refused: the problem says why'), 503: problem('Not now: Retry-After says when') };

export const describedRoutes: readonly string[] = Object.keys(successes);

/** Anew, since what comes is the router's. */
export function describeAnswers<Document extends object>(document: Document): Document {
  const { paths = {} } = document as { readonly paths?: Readonly<Record<string, Readonly<Record<string, { readonly responses?: object }>>>> };
  const described = Object.entries(paths).map(([path, operations]) => {
    const each = Object.entries(operations).map(([method, operation]) => {
      const responses = { ...refusals, ...(successes[`${method} ${path}`] ?? operation.responses) };
      return [method, { ...operation, responses }] as const;
    });
    return [path, Object.fromEntries(each)] as const;
  });
  return { ...document, paths: Object.fromEntries(described) };
}
