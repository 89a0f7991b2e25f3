/** The description at /openapi.json: what generators, linters and people read of the service. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance } from 'fastify';
import { buildSchema, parse, validate } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { createAccounts } from './accounts/accounts.ts';
import { createTokens } from './accounts/tokens.ts';
import { buildApp, type PlainDeps } from './app.ts';
import { depsAlone } from './deps-alone.ts';
import { typeDefs } from './graphql/schema.ts';
import { createMemoryStore } from './store/memory/memory-store.ts';

type Node = Readonly<Record<string, unknown>>;
type Operation = {
  readonly operationId?: string;
  readonly security?: readonly Node[];
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly required?: boolean }[];
  readonly responses: Readonly<Record<string, { readonly headers?: Node }>>;
};
type Document = {
  readonly openapi: string;
  readonly servers: readonly { readonly url: string }[];
  readonly components: Readonly<Record<string, Node>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

const nowMs = Date.parse('2026-11-25T12:00:00.000Z');
const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
let deps: PlainDeps;
let app: FastifyInstance;
let document: Document;
let operations: readonly { readonly route: string; readonly operation: Operation }[];

beforeAll(async () => {
  const [store, tokens] = [createMemoryStore({ clock }), createTokens({ key: 'k'.repeat(43), clock })];
  deps = depsAlone({ store, tokens, clock, metrics: async () => 'a 1\n', isDraining: () => false, isClosing: () => false });
  app = await buildApp(deps);
  await app.ready();
  document = (await app.inject({ url: '/openapi.json' })).json();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ route: `${method} ${path}`, operation })),
  );
});

/** Every object in it, with its path. */
function* nodesOf(node: unknown, path = '#'): Generator<readonly [path: string, node: Node]> {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node)) yield [path, node as Node];
  for (const [key, part] of Object.entries(node)) yield* nodesOf(part, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
}

describe('its operations', () => {
  test('each has a name of its own, a security, and servers to ask', () => {
    expect(operations.length).toBeGreaterThan(35);
    expect(operations.filter(({ operation }) => operation.operationId === undefined).map(({ route }) => route)).toEqual([]);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ operation }) => operation.operationId);
    expect(open.sort()).toEqual(['confirmWebhook', 'getConnection', 'getHealth', 'getLimits', 'getMetrics', 'getReadiness']);
    expect(operations.every(({ operation }) => operation.security !== undefined)).toBe(true);
    expect(document.servers).toEqual([{ url: '/' }]);
  });
  test('a condition is nobody’s duty, and what may answer 304 says by which', () => {
    for (const { route, operation } of operations) {
      const headers = (operation.parameters ?? []).filter((parameter) => parameter.in === 'header');
      expect(
        headers.filter(({ required }) => required === true),
        route,
      ).toEqual([]);
      if ('304' in operation.responses)
        expect(
          headers.map(({ name }) => name),
          route,
        ).toContain('If-None-Match');
    }
  });
  test('what its answers tell in headers, they tell', async () => {
    const { account_id, secret, publishable_key } = await createAccounts(deps).create({ name: 'x', quotas: {} });
    const basic = (user: string, password = ''): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const ask = async (
      method: 'GET' | 'PUT' | 'POST' | 'DELETE',
      url: string,
      authorization: string,
      payload?: unknown,
      headers: Record<string, string> = {},
    ) =>
      app.inject({
        method,
        url,
        headers: { authorization, ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(payload === undefined ? {} : { payload: JSON.stringify(payload) }),
      });
    const { access_token: deviceToken } = (await ask('POST', '/v1/authenticate', basic(publishable_key), { device_id: 'd' })).json();
    const { access_token: userToken } = (
      await ask('POST', '/v1/tokens', basic(account_id, secret), { user: 'u', scopes: ['ch:sync:*:write', 'ch:sync:*:read', 'ch:sync:*'] })
    ).json();
    const events = ['e1', 'e2'].map((id) => ({ id, type: 'location', recorded_at: '2026-11-25T11:00:00.000Z', data: { lat: 1, lon: 2 } }));
    expect((await ask('POST', '/v1/events', `Bearer ${deviceToken}`, events)).statusCode).toBe(202);
    const [own, user] = [basic(account_id, secret), `Bearer ${userToken}`];
    const answers = [
      ['put /v1/sync/{collection}/{item}', await ask('PUT', '/v1/sync/trips/a', user, { a: 1 })],
      ['get /v1/sync/{collection}/{item}', await ask('GET', '/v1/sync/trips/a', user)],
      ['get /v1/sync/{collection}', await ask('GET', '/v1/sync/trips', user)],
      ['get /v1/sync/{collection}/snapshot', await ask('GET', '/v1/sync/trips/snapshot', user)],
      ['delete /v1/sync/{collection}/{item}', await ask('DELETE', '/v1/sync/trips/a', user)],
      ['get /v1/devices/{id}', await ask('GET', '/v1/devices/d', own)],
      ['get /v1/devices/{id}/context', await ask('GET', '/v1/devices/d/context', own)],
      ['get /v1/devices/{id}/history', await ask('GET', '/v1/devices/d/history?limit=1', own, undefined, { accept: 'application/x-ndjson' })],
      ['get /v1/export', await ask('GET', '/v1/export', own)],
    ] as const;
    for (const [route, { statusCode, headers, body }] of answers) {
      const described = operations.find((one) => one.route === route)?.operation.responses[statusCode];
      expect(described, `${route}: ${statusCode} ${body}`).toBeDefined();
      // The last page has none.
      const named = Object.keys(described?.headers ?? {}).filter((name) => name !== 'Pagination-Token');
      expect(Object.keys(described?.headers ?? {}).length, route).toBeGreaterThan(0);
      for (const name of named) expect(headers[name.toLowerCase()], `${route}: ${name}`).toBeDefined();
    }
  });
});

describe('its shapes', () => {
  test('what many answers share stands once, and every reference leads to something', () => {
    const text = JSON.stringify(document);
    expect(text.match(/"request_id":\{/g)).toHaveLength(1);
    const places = new Map(nodesOf(document));
    const targets = [...places.values()].flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []));
    expect(targets.filter((target) => !places.has(target))).toEqual([]);
    const unused = ['schemas', 'responses', 'headers'].flatMap((kind) =>
      Object.keys(document.components[kind] ?? {}).filter((name) => !targets.includes(`#/components/${kind}/${name}`)),
    );
    expect(unused).toEqual([]);
  });
  test('words of which a value is one are an enum, and a table by any name has additional properties', () => {
    const schemas = [...nodesOf(document)].filter(([path]) => !/\/examples?\//.test(path));
    const choices = schemas.filter(([, { anyOf }]) => Array.isArray(anyOf) && anyOf.every((one: Node) => one.const !== undefined || Array.isArray(one.enum)));
    expect(choices.map(([path]) => path)).toEqual([]);
    expect(schemas.filter(([, node]) => 'patternProperties' in node || typeof node.const === 'string').map(([path]) => path)).toEqual([]);
    expect(schemas.some(([, node]) => Array.isArray(node.enum) && node.enum.includes('rate-limited'))).toBe(true);
  });
  test('every example is valid by its schema', () => {
    const ajv = addFormats.default(new Ajv2020({ strict: false }));
    ajv.addSchema({ ...document, $id: 'urn:headroom:description' });
    let checked = 0;
    for (const [path, { examples }] of nodesOf(document)) {
      if (!Array.isArray(examples)) continue;
      const isValid = ajv.compile({ $ref: `urn:headroom:description${encodeURI(path)}` });
      for (const example of examples as unknown[]) {
        expect(isValid(example) ? [] : isValid.errors, `${path}: ${JSON.stringify(example)}`).toEqual([]);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(10);
  });
  test('every example of GraphQL is a valid query', () => {
    const schema = buildSchema(typeDefs);
    const examples = [...nodesOf(document)].flatMap(([path, node]) =>
      path.endsWith('/query') && Array.isArray(node.examples) ? (node.examples as string[]) : [],
    );
    const inQuery = operations.find(({ route }) => route === 'get /graphql')?.operation.parameters?.find(({ name }) => name === 'query');
    const all = [...examples, ...(inQuery as unknown as { readonly schema: { readonly examples: readonly string[] } }).schema.examples];
    expect(all.length).toBeGreaterThan(3);
    for (const query of all) expect(validate(schema, parse(query)), query).toEqual([]);
  });
});
