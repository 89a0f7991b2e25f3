import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCases } from './cases.ts';
import { type OpenApi, routesOf } from './description.ts';
import { createEnds } from './ends.ts';
import { createExpectations } from './expectations.ts';
import { createKnown, idNameOf } from './known.ts';
import { validOf } from './values.ts';

const text = { type: 'string' };
const description: OpenApi = {
  paths: {
    '/things/{id}': {
      put: {
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^[a-z]{1,8}$' } }],
        requestBody: {
          content: {
            'application/json': {
              schema: { type: 'object', required: ['name'], properties: { name: text, size: { type: 'integer', minimum: 1, maximum: 9 } } },
            },
          },
        },
        responses: {
          200: { content: { 'application/json': { schema: { type: 'object', required: ['ok'], properties: { ok: { type: 'boolean' } } } } } },
          '4XX': { content: { 'application/problem+json': { schema: { type: 'object', required: ['status'] } } } },
        },
      },
      get: { parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 5 } }], responses: { 204: {} } },
    },
  },
};
const routes = routesOf(description);
const put = { route: routes[0] as (typeof routes)[number], method: 'PUT', url: '/things/a' };
const judge = createExpectations(routes);
const answer = (status: number, contentType: string, body: unknown) => ({
  status,
  contentType,
  text: typeof body === 'string' ? body : JSON.stringify(body),
  isPart: false,
});

test('references are followed wherever they stand; one that leads nowhere is said', () => {
  const components = {
    schemas: { Name: text, Thing: { type: 'object', properties: { name: { $ref: '#/components/schemas/Name' } } } },
    responses: { Refused: { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Thing' } } } } },
  };
  const referring = (name: string): OpenApi => ({
    components,
    paths: { '/things': { get: { responses: { '4XX': { $ref: `#/components/responses/${name}` } } } } },
  });
  const [route] = routesOf(referring('Refused'));
  expect(route?.responses['4XX']?.content?.['application/problem+json']?.schema).toEqual({ type: 'object', properties: { name: text } });
  expect(() => routesOf(referring('Refusd'))).toThrow('the description refers to #/components/responses/Refusd, and has nothing there');
});

test('a case is its seed and its number, and nothing else', () => {
  const [first, again, other] = [createCases(routes, 7), createCases(routes, 7), createCases(routes, 8)];
  const all = (caseOf: typeof first) => Array.from({ length: 300 }, (_, i) => caseOf(i));
  expect(all(again)).toEqual(all(first));
  expect(all(other)).not.toEqual(all(first));
  expect([...new Set(all(first).map(({ credential }) => credential))].length).toBe(9);
  expect(new Set(all(first).map(({ route }) => route.method))).toEqual(new Set(['PUT', 'GET']));
});

test('valid, nearly valid and broken bodies all come', () => {
  const caseOf = createCases(routes, 1);
  const bodies = Array.from({ length: 400 }, (_, i) => caseOf(2 * i).body?.toString() ?? '');
  const kinds = bodies.map((body) => {
    try {
      const value = JSON.parse(body) as { name?: unknown };
      return typeof value?.name === 'string' ? 'valid' : 'nearly';
    } catch {
      return 'broken';
    }
  });
  for (const kind of ['valid', 'nearly', 'broken']) expect(kinds.filter((one) => one === kind).length, kind).toBeGreaterThan(40);
});

test.each([
  [answer(200, 'application/json; charset=utf-8', { ok: true }), undefined],
  [answer(200, 'application/json', { ok: 'yes' }), 'another body'],
  [answer(200, 'application/json', '{'), 'no JSON'],
  [answer(200, 'text/plain', 'x'), 'as text/plain'],
  [answer(201, 'application/json', { ok: true }), '201 is not described'],
  [answer(404, 'application/problem+json', { status: 404 }), undefined],
  [answer(404, 'application/problem+json', { status: 400 }), 'says 400 as 404'],
  [answer(404, 'application/json', { status: 404 }), 'as application/json'],
  [answer(500, 'application/problem+json', { status: 500 }), 'the service failed'],
])('%j: %s', (given, trouble) => {
  const said = judge(put, given);
  if (trouble === undefined) expect(said).toBeUndefined();
  else expect(said).toContain(trouble);
});

test('an answer without a body has none', () => {
  const get = { route: routes[1] as (typeof routes)[number], method: 'GET', url: '/things' };
  expect(judge(get, answer(204, '', ''))).toBeUndefined();
  expect(judge(get, answer(204, '', 'x'))).toContain('with a body');
});

test('a path that clients resolve to another one is not held to what this one answers', () => {
  const body = answer(200, 'application/json', { ok: 'yes' });
  for (const url of ['/things/.', '/things/..?x=1', '/things/%2e%2E/y']) expect(judge({ ...put, url }, body), url).toBeUndefined();
  for (const url of ['/things/...', '/things/.a', '/things/a.']) expect(judge({ ...put, url }, body), url).toContain('another body');
});

test('what another route says in so many words is that route’s', () => {
  const all = { ...put.route, method: 'PUT', path: '/things/all' };
  const judgeBoth = createExpectations([put.route, all]);
  const body = answer(200, 'application/json', { ok: 'yes' });
  expect(judgeBoth({ ...put, url: '/things/all?x=1' }, body)).toBeUndefined();
  expect(judgeBoth({ ...put, url: '/things/one' }, body)).toContain('another body');
});

test('places in a case are filled with what answers named, and a case is the same without them', () => {
  const known = createKnown();
  expect(known.fill('/things/~thing_id.3~')).toBe('/things/-');
  known.learn({
    things: [
      { thing_id: 'a1', name: 'x' },
      { thing_id: 'a2', inner: { next_token: 't' } },
    ],
    thing_id: 7,
  });
  expect([0, 1, 2].map((index) => known.fill(`/things/~thing_id.${index}~`))).toEqual(['/things/a1', '/things/a2', '/things/a1']);
  expect(known.fill('~next_token.9~ ~name.0~')).toBe('t -');
  known.tell('next_token', 'a&b');
  expect(known.fill(encodeURI('?next=~next_token.1~'), encodeURIComponent)).toBe('?next=a%26b');
  expect([idNameOf('/v1/things/{id}', 'id'), idNameOf('/v1/things/{id}/parts', 'id'), idNameOf('/x/{id}', 'id')]).toEqual(['thing_id', 'thing_id', undefined]);
});

test('examples of the description come oftener than what the schema alone allows', () => {
  const schema = { type: 'string', examples: ['good', 'better'] };
  const values = fc.sample(validOf(schema), { seed: 1, numRuns: 200 });
  expect(values.filter((value) => value === 'good' || value === 'better').length).toBeGreaterThan(100);
  expect(values.filter((value) => value !== 'good' && value !== 'better').length).toBeGreaterThan(20);
});

test('a crash is found once: neither its restart nor the cases after it are another', () => {
  let pids = [1, 2];
  const ended = createEnds(() => pids);
  expect(ended()).toEqual([]);
  pids = [2];
  expect([ended(), ended()]).toEqual([[1], []]);
  pids = [2, 3];
  expect(ended()).toEqual([]);
  pids = [4, 5];
  expect([ended(), ended()]).toEqual([[2, 3], []]);
});
