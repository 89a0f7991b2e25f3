import { expect, test } from 'vitest';
import { createCases } from './cases.ts';
import { type OpenApi, routesOf } from './description.ts';
import { createExpectations } from './expectations.ts';

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
const put = { route: routes[0] as (typeof routes)[number], method: 'PUT' };
const judge = createExpectations();
const answer = (status: number, contentType: string, body: unknown) => ({
  status,
  contentType,
  text: typeof body === 'string' ? body : JSON.stringify(body),
  isPart: false,
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
  const get = { route: routes[1] as (typeof routes)[number], method: 'GET' };
  expect(judge(get, answer(204, '', ''))).toBeUndefined();
  expect(judge(get, answer(204, '', 'x'))).toContain('with a body');
});
