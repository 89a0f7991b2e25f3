/** What each route answers, for the description at /openapi.json: handlers write their bodies themselves, so this is what says their shape, and the fuzz holds them to it. */
import { type TSchema, Type } from 'typebox';
import { type HeaderName, headersOf } from './answer-headers.ts';
import {
  ChangesShape,
  ConfirmedShape,
  ContextShape,
  closed,
  DeliveriesShape,
  DeviceShape,
  DevicesShape,
  HistoryShape,
  ItemShape,
  LimitsShape,
  LocationShape,
  MadeWebhookShape,
  ReplayedShape,
  RotatedShape,
  ShareShape,
  SharesShape,
  SnapshotShape,
  TestedShape,
  WebhookShape,
  WebhooksShape,
  WrittenShape,
} from './answer-shapes.ts';
import { asked, operationIds } from './asked.ts';
import { withComponents } from './components.ts';
import { problems } from './errors.ts';

const anything = { additionalProperties: true };
const Text = Type.String();
const Whole = Type.Integer();

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

type Answer = { readonly description: string; readonly headers?: object; readonly content?: Readonly<Record<string, { readonly schema: TSchema }>> };
const json = (schema: TSchema, description = 'As asked'): Answer => ({ description, content: { 'application/json': { schema } } });
const telling = (answer: Answer, ...names: readonly HeaderName[]): Answer => ({ ...answer, headers: headersOf(...names) });
const ndjson = { 'application/x-ndjson': { schema: Text } };
const nothing: Answer = { description: 'Nothing to say' };
const unchanged = telling({ description: 'As the client has it' }, 'ETag');
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

const written = telling(json(WrittenShape), 'ETag', 'Sync-Cursor');

const successes: Readonly<Record<string, Readonly<Record<string, Answer>>>> = {
  'get /v1/export': { 200: telling({ description: 'A line an event', content: ndjson }, 'Export-Cursor') },
  'post /v1/tokens': { 201: json(closed({ access_token: Text, expires_in: Whole })) },
  'put /v1/devices/{id}': { 200: json(closed({ changed: Type.Boolean() })), 201: json(closed({ device_secret: Text })) },
  'get /v1/devices/{id}': { 200: telling(json(DeviceShape), 'ETag'), 304: unchanged },
  'delete /v1/devices/{id}': { 204: nothing },
  'get /v1/devices/{id}/location': { 200: telling(json(LocationShape), 'ETag'), 304: unchanged },
  'get /v1/devices/{id}/history': {
    200: telling({ description: 'In order of acceptance', content: { 'application/json': { schema: HistoryShape }, ...ndjson } }, 'Pagination-Token'),
  },
  'get /v1/devices': { 200: json(DevicesShape) },
  'get /v1/devices/{id}/context': { 200: telling(json(ContextShape), 'ETag'), 304: unchanged },
  'get /healthz': { 200: json(closed({ alive: Type.Literal(true) })) },
  'get /readyz': { 200: json(closed({ ready: Type.Literal(true) })) },
  'get /v1/connection': { 200: json(closed({ client_address: Text, client_port: Whole })) },
  'get /v1/limits': { 200: json(LimitsShape) },
  'get /metrics': { 200: { description: 'Prometheus text', content: { 'text/plain': { schema: Text } } } },
  'put /v1/sync/{collection}/{item}': { 200: written, 201: written },
  'get /v1/sync/{collection}/{item}': { 200: telling(json(ItemShape), 'ETag'), 304: unchanged },
  'delete /v1/sync/{collection}/{item}': { 204: telling(nothing, 'ETag', 'Sync-Cursor') },
  'get /v1/sync/{collection}': { 200: telling(json(ChangesShape), 'Sync-Cursor', 'Sync-Epoch') },
  'get /v1/sync/{collection}/snapshot': { 200: telling(json(SnapshotShape), 'Sync-Cursor') },
  'post /v1/shares': { 201: json(ShareShape) },
  'get /v1/shares': { 200: json(SharesShape) },
  'get /v1/shares/{id}': { 200: json(ShareShape) },
  'delete /v1/shares/{id}': { 204: nothing },
  'get /v1/stream': { 200: { description: 'Frames', content: { ...ndjson, 'text/event-stream': { schema: Text } } }, 204: nothing },
  'get /graphql': graphql,
  'post /graphql': graphql,
  'post /v1/webhooks': { 201: json(MadeWebhookShape) },
  'get /v1/webhooks': { 200: json(WebhooksShape) },
  'get /v1/webhooks/confirm': { 200: json(ConfirmedShape) },
  'get /v1/webhooks/{id}': { 200: json(WebhookShape) },
  'patch /v1/webhooks/{id}': { 200: json(WebhookShape) },
  'delete /v1/webhooks/{id}': { 204: nothing },
  'post /v1/webhooks/{id}/rotate': { 200: json(RotatedShape) },
  'post /v1/webhooks/{id}/test': { 202: json(TestedShape) },
  'get /v1/webhooks/{id}/deliveries': { 200: json(DeliveriesShape) },
  'post /v1/webhooks/{id}/replay': { 202: json(ReplayedShape) },
};

/** Of every route; a 500 is described nowhere. */
const refusals = {
  Refused: telling({ description: 'Refused: the problem says why', content: problemContent }, 'Retry-After', 'WWW-Authenticate'),
  NotSpoken: { description: 'A part of HTTP that is not spoken here', content: problemContent },
  NotNow: telling({ description: 'Not now: Retry-After says when', content: problemContent }, 'Retry-After'),
} as const satisfies Readonly<Record<string, Answer>>;
const refusal = (name: keyof typeof refusals): object => ({ $ref: `#/components/responses/${name}` });
const refused = { '4XX': refusal('Refused'), 501: refusal('NotSpoken'), 503: refusal('NotNow') };

type Operation = { readonly responses?: Readonly<Record<string, object>>; readonly parameters?: readonly object[]; readonly security?: readonly object[] };

/** The document with what is asked and answered beside what the routes' schemas say; anew, since what comes is the router's. */
export function describeAnswers<Document extends object>(document: Document): Document {
  const { paths = {} } = document as { readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>> };
  const described = Object.entries(paths).map(([path, operations]) => {
    const each = Object.entries(operations).map(([method, operation]) => [method, describeOperation(`${method} ${path}`, operation)] as const);
    return [path, Object.fromEntries(each)] as const;
  });
  const whole: object = { ...document, paths: Object.fromEntries(described) };
  return withComponents(whole, { answers: refusals, problem: ProblemAnswer }) as Document;
}

function describeOperation(route: string, operation: Operation): object {
  const { parameters = [], ...rest } = asked[route] ?? {};
  return {
    operationId: operationIds[route],
    ...operation,
    ...rest,
    // Open to everybody, where nothing is said.
    security: operation.security ?? [],
    parameters: [...(operation.parameters ?? []), ...parameters],
    responses: { ...refused, ...(successes[route] ?? asAsked(operation.responses)) },
  };
}

/** The router has words of its own for an answer of which it knows the shape alone. */
const asAsked = (responses: Operation['responses'] = {}): object =>
  Object.fromEntries(Object.entries(responses).map(([status, answer]) => [status, { ...answer, description: 'As asked' }]));
