import { expect, test } from 'vitest';
import { type CorsPolicy, corsDefaults, corsHeaders, preflightHeaders, readOrigins } from './cors.ts';

const app = 'https://app.example';
const listed = { origins: [app], secretOrigins: [] };
const policies: readonly CorsPolicy[] = ['open', 'secret', 'none'];
const allowed = (settings: typeof corsDefaults, origin: string | undefined) =>
  policies.map((policy) => corsHeaders(settings, { origin, method: 'GET', policy })['access-control-allow-origin']);

test('by default every page reads what a token opens, and none what the secret opens', () => {
  expect(allowed(corsDefaults, app)).toEqual(['*', undefined, undefined]);
  expect(allowed(corsDefaults, 'null')).toEqual(['*', undefined, undefined]);
  expect(allowed(corsDefaults, undefined)).toEqual([undefined, undefined, undefined]);
});

test('where origins are named, one that is not named reads nothing, and what lies in a cache is for its own origin', () => {
  expect(allowed(listed, app)).toEqual([app, undefined, undefined]);
  for (const other of ['https://app.example.evil.test', 'http://app.example', 'https://app.example:8443', 'null'])
    expect(allowed(listed, other)).toEqual([undefined, undefined, undefined]);
  const vary = (method: string, origin: string | undefined) => corsHeaders(listed, { origin, method, policy: 'open' }).vary;
  expect([vary('GET', app), vary('HEAD', 'https://b.example'), vary('GET', undefined), vary('POST', app)]).toEqual(['Origin', 'Origin', 'Origin', undefined]);
  expect(corsHeaders({ origins: [], secretOrigins: [] }, { origin: app, method: 'GET', policy: 'open' })).toEqual({});
});

test('the secret’s routes are for the origins that are named for them', () => {
  expect(allowed({ origins: [], secretOrigins: [app] }, app)).toEqual([undefined, app, undefined]);
});

test('credentials of the browser’s own are never allowed', () => {
  const all = policies.flatMap((policy) => [
    corsHeaders({ origins: 'any', secretOrigins: 'any' }, { origin: app, method: 'GET', policy }),
    preflightHeaders({ origins: [app], secretOrigins: [app] }, { origin: app, policy }) ?? {},
  ]);
  expect(all.flatMap(Object.keys)).not.toContain('access-control-allow-credentials');
});

test('a preflight names methods and headers, Authorization by its name, which * does not stand for', () => {
  expect(preflightHeaders(listed, { origin: app, policy: 'open' })).toMatchObject({
    'access-control-allow-origin': app,
    'access-control-allow-methods': expect.stringContaining('DELETE'),
    'access-control-allow-headers': expect.stringMatching(/Authorization.*If-Match.*Last-Event-ID/),
    vary: expect.stringContaining('Origin'),
  });
  expect(preflightHeaders(listed, { origin: app, policy: 'secret' })).toBeUndefined();
  expect(preflightHeaders(listed, { origin: 'https://b.example', policy: 'open' })).toBeUndefined();
});

test.each([
  ['*', 'any'],
  ['none', []],
  [app, [app]],
  ['https://a.example, http://localhost:5173 ,capacitor://localhost', ['https://a.example', 'http://localhost:5173', 'capacitor://localhost']],
  ['https://a.example/', undefined],
  ['https://a.example:443', undefined],
  ['https://A.example', undefined],
  ['a.example', undefined],
  ['https://*.example', undefined],
  ['null', undefined],
  ['', undefined],
  ['*,https://a.example', undefined],
])('the setting %j', (text, origins) => {
  expect(readOrigins(text)).toEqual(origins);
});
