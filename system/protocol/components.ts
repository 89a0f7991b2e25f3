/**
 * What the description says once, under a name that generated clients use: shapes, answers of every route, headers.
 */
import type { TSchema } from 'typebox';
import { answerHeaders } from './answer-headers.ts';
import * as shapes from './answer-shapes.ts';
import * as schemas from './schemas.ts';
import * as webhooks from './schemas-webhooks.ts';

type Node = Readonly<Record<string, unknown>>;

const namedShapes: Readonly<Record<string, TSchema>> = {
  Event: schemas.EventItem,
  EventBatch: schemas.IngestBody,
  Ingested: schemas.IngestAnswer,
  DeviceCredentials: schemas.AuthenticateBody,
  DeviceToken: schemas.AuthenticateAnswer,
  DeviceRegistration: schemas.RegisterBody,
  NewUserToken: schemas.TokensBody,
  NewShare: schemas.ShareBody,
  Usage: schemas.UsageAnswer,
  NewWebhook: webhooks.WebhookBody,
  WebhookChange: webhooks.WebhookPatch,
  Device: shapes.DeviceShape,
  DevicePage: shapes.DevicesShape,
  DeviceLocation: shapes.LocationShape,
  DeviceContext: shapes.ContextShape,
  History: shapes.HistoryShape,
  Limits: shapes.LimitsShape,
  Item: shapes.ItemShape,
  WrittenItem: shapes.WrittenShape,
  Changes: shapes.ChangesShape,
  Snapshot: shapes.SnapshotShape,
  Share: shapes.ShareShape,
  SharePage: shapes.SharesShape,
  Webhook: shapes.WebhookShape,
  MadeWebhook: shapes.MadeWebhookShape,
  WebhookList: shapes.WebhooksShape,
  Deliveries: shapes.DeliveriesShape,
};

/** `answers`: of every route, by the names that routes refer to. `problem`: the shape that all refusals have. */
export function withComponents(whole: object, { answers, problem }: { readonly answers: Node; readonly problem: TSchema }): object {
  const { components: given, ...document } = whole as { readonly components?: object };
  const plain = Object.entries({ Problem: problem, ...namedShapes }).map(([name, shape]) => [name, readable(JSON.parse(JSON.stringify(shape)))] as const);
  const names = new Map(plain.map(([name, shape]) => [canonical(shape), name]));
  const refer = (node: unknown): unknown => {
    const name = isNode(node) ? names.get(canonical(node)) : undefined;
    return name === undefined ? mapParts(node, refer) : { $ref: `#/components/schemas/${name}` };
  };
  const settled = (part: unknown): unknown => refer(readable(JSON.parse(JSON.stringify(part))));
  const components = {
    ...given,
    schemas: Object.fromEntries(plain.map(([name, shape]) => [name, mapParts(shape, refer)])),
    responses: settled(answers),
    headers: answerHeaders,
  };
  return { ...(settled(document) as object), components };
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whatever the order of its keys. */
const canonical = (node: unknown): string =>
  JSON.stringify(node, (_, part: unknown) => (isNode(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part));

/** Values that somebody may send are no schemas, whatever they look like. */
const valueKeys: ReadonlySet<string> = new Set(['examples', 'example', 'const', 'enum', 'default']);

function mapParts(node: unknown, map: (part: unknown) => unknown): unknown {
  if (Array.isArray(node)) return node.map(map);
  if (!isNode(node)) return node;
  return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, valueKeys.has(key) ? part : map(part)]));
}

/**
 * As generators read it: a constant is an `enum` of it (as the router writes it too), a choice of such texts one of all of them, and a table by
 * any name has `additionalProperties`.
 */
function readable(node: unknown): unknown {
  if (!isNode(node)) return mapParts(node, readable);
  const { const: only, patternProperties, ...rest } = node;
  const byName = isNode(patternProperties) ? Object.values(patternProperties)[0] : undefined;
  const plain = { ...rest, ...(only === undefined ? {} : { enum: [only] }), ...(byName === undefined ? {} : { additionalProperties: byName }) };
  const mapped = mapParts(plain, readable) as Node;
  const { anyOf, ...around } = mapped;
  const words = Array.isArray(anyOf) ? anyOf.flatMap((one: unknown) => (isNode(one) && Array.isArray(one.enum) ? (one.enum as unknown[]) : [undefined])) : [];
  return words.length > 0 && words.every((word) => typeof word === 'string') ? { ...around, type: 'string', enum: words } : mapped;
}
