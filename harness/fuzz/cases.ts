/** (seed, number) → one request. Pure. */
import fc from 'fast-check';
import type { Parameter, Route } from './description.ts';
import { idNameOf, mayBeKnown, placeOf } from './known.ts';
import { brokenOf, nearlyOf, validOf } from './values.ts';

export const credentialKinds = ['none', 'secret', 'publishable', 'bare-key', 'device', 'user', 'stranger', 'rubbish', 'forged'] as const;
/** What a route wants is one of these; valid cases have one oftener, or hardly any would be taken. */
const goodCredentials = ['secret', 'publishable', 'device', 'user'] as const;
const anyCredential = fc.constantFrom(...credentialKinds);
export type CredentialKind = (typeof credentialKinds)[number];

export type FuzzCase = {
  readonly number: number;
  readonly route: Route;
  readonly method: string;
  readonly url: string;
  readonly credential: CredentialKind;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
};

const manners = ['valid', 'nearly', 'broken'] as const;
type Manner = (typeof manners)[number];

/** Ids that may be there: a case alone cannot know which. */
const knownIds = ['fuzz-1', 'fuzz-2', 't-1', 'trips', 'inbox', 'snapshot'];
const oddPieces = ['%00', '%ff', '..', '%2e%2e', '%2F', 'x'.repeat(300), '%F0%9F%92%A9', "'", '%25', ':id', '*', ' '.trim()];

const partOf = ({ schema }: Parameter, idName: string | undefined, manner: Manner): fc.Arbitrary<string> => {
  const valid = fc.oneof(
    idName === undefined ? fc.constantFrom(...knownIds) : placeOf(idName),
    fc.constantFrom(...knownIds),
    validOf(schema).map((value) => encodeURIComponent(wellFormed(String(value)))),
  );
  return manner === 'valid'
    ? valid
    : fc.oneof(
        valid,
        fc.constantFrom(...oddPieces),
        fc.string({ maxLength: 20 }).map((text) => encodeURIComponent(wellFormed(text))),
      );
};

const wellFormed = (text: string): string => text.toWellFormed();

function queryOf(parameters: readonly Parameter[], manner: Manner): fc.Arbitrary<string> {
  const pairs = parameters.map(({ name, schema, required = false }) =>
    fc.option(valuesOf(name, schema, manner), { nil: undefined, freq: required ? 20 : 1 }).map((value) => {
      if (value === undefined) return '';
      const values = Array.isArray(value) ? (value as unknown[]) : [value];
      return values.map((one) => `${name}=${encodeURIComponent(wellFormed(typeof one === 'object' ? (JSON.stringify(one) ?? '') : String(one)))}`).join('&');
    }),
  );
  return fc.tuple(...pairs).map((all) => all.filter((pair) => pair !== '').join('&'));
}

function valuesOf(name: string, schema: Parameter['schema'], manner: Manner): fc.Arbitrary<unknown> {
  const valid = mayBeKnown(name) ? fc.oneof(validOf(schema), placeOf(name)) : validOf(schema);
  return manner === 'valid' ? valid : fc.oneof(valid, nearlyOf(schema));
}

const formats = ['application/json', 'application/x-ndjson', 'text/event-stream', '*/*'];
const headersOf = (manner: Manner): fc.Arbitrary<Record<string, string>> =>
  manner === 'valid' ? fc.oneof(plainHeaders, anyHeaders(manner)) : anyHeaders(manner);

/** What goes together. */
const plainHeaders: fc.Arbitrary<Record<string, string>> = fc
  .tuple(fc.constantFrom(...formats, undefined), fc.constantFrom({}, {}, { 'if-match': '*' }, { 'if-match': '"v1"' }, { 'if-none-match': '*' }))
  .map(([accept, condition]) => ({ ...(accept === undefined ? {} : { accept }), ...condition }));

const anyHeaders = (manner: Manner): fc.Arbitrary<Record<string, string>> =>
  fc.record(
    {
      accept: fc.constantFrom(...formats, 'image/png'),
      'idempotency-key': fc.constantFrom('k1', 'k2', 'x'.repeat(200)),
      'if-match': fc.constantFrom('"v1"', '*', 'v1', '"v99999999999999999999"'),
      'if-none-match': fc.constantFrom('*', '"v1"'),
      'last-event-id': fc.constantFrom('0', '-1', 'zzz'),
      ...(manner === 'broken'
        ? {
            'content-encoding': fc.constantFrom('gzip', 'br', 'identity'),
            'content-type': fc.constantFrom('text/plain', 'application/json; charset=utf-16', 'x'),
          }
        : {}),
    },
    { requiredKeys: [] },
  );

function bodyOf({ body }: Route, manner: Manner): fc.Arbitrary<Buffer | undefined> {
  if (body === undefined)
    return manner === 'broken'
      ? fc.option(
          fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
          { nil: undefined },
        )
      : fc.constant(undefined);
  if (manner === 'broken') return brokenOf(body);
  return (manner === 'valid' ? validOf(body) : nearlyOf(body)).map((value) => Buffer.from(JSON.stringify(value) ?? ''));
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'];

function arbitraryOf(route: Route, manner: Manner): fc.Arbitrary<Omit<FuzzCase, 'number'>> {
  const parts = route.parameters.filter((parameter) => parameter.in === 'path');
  const names = parts.map(({ name }) => name);
  return fc
    .tuple(
      fc.tuple(...parts.map((part) => partOf(part, idNameOf(route.path, part.name), manner))),
      queryOf(
        route.parameters.filter((parameter) => parameter.in === 'query'),
        manner,
      ),
      manner === 'valid' ? fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...goodCredentials) }, { weight: 1, arbitrary: anyCredential }) : anyCredential,
      headersOf(manner),
      bodyOf(route, manner),
      manner === 'valid'
        ? fc.constant(route.method)
        : fc.oneof({ weight: 9, arbitrary: fc.constant(route.method) }, { weight: 1, arbitrary: fc.constantFrom(...methods) }),
    )
    .map(([values, query, credential, headers, body, method]) => {
      const path = route.path.replace(/\{([^}]+)\}/g, (_, name: string) => values[names.indexOf(name)] ?? 'x');
      const bytes = method === 'GET' || method === 'HEAD' ? undefined : body;
      const withType = bytes === undefined ? headers : { 'content-type': 'application/json', ...headers };
      return { route, method, url: query === '' ? path : `${path}?${query}`, credential, headers: withType, body: bytes };
    });
}

/** Numbers go round the routes, so that a small count reaches each. */
export function createCases(routes: readonly Route[], seed: number): (number: number) => FuzzCase {
  const made = new Map<string, fc.Arbitrary<Omit<FuzzCase, 'number'>>>();
  return (number) => {
    const at = number % routes.length;
    const route = routes[at] as Route;
    const manner = manners[Math.floor(number / routes.length) % manners.length] as Manner;
    const key = `${at} ${manner}`;
    const arbitrary = made.get(key) ?? arbitraryOf(route, manner);
    made.set(key, arbitrary);
    const [one] = fc.sample(arbitrary, { seed: (seed * 1_000_003 + number) | 0, numRuns: 1 });
    return { number, ...(one as Omit<FuzzCase, 'number'>) };
  };
}
