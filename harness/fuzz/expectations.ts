/** Whether an answer is one that the description knows. */
import { Ajv, type ValidateFunction } from 'ajv';
import type { FuzzCase } from './cases.ts';
import type { Described, Route, Schema } from './description.ts';

export type FuzzAnswer = {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly text: string /** Of a stream that was cut. */;
  readonly isPart: boolean;
};

/** Undefined where all is as described; otherwise a sentence. */
export type Expectations = (asked: Pick<FuzzCase, 'route' | 'method' | 'url'>, answer: FuzzAnswer) => string | undefined;

/** `routes`: all there are, since a path may be another one's too, as `/things/all` is of `/things/{id}`. */
export function createExpectations(routes: readonly Route[]): Expectations {
  const ajv = new Ajv({ strict: false, allErrors: false });
  const compiled = new WeakMap<Schema, ValidateFunction>();
  const check = (schema: Schema, value: unknown): string | undefined => {
    const validate = compiled.get(schema) ?? ajv.compile(schema);
    compiled.set(schema, validate);
    return validate(value) ? undefined : ajv.errorsText(validate.errors);
  };
  return ({ route, method, url }, answer) => {
    const { status, contentType = '', text } = answer;
    if (status >= 500 && status !== 503) return `${status}: the service failed`;
    // Another method or another path than the route's own: whatever is there is another route's, or nothing.
    if ((method !== route.method || leadsElsewhere(url) || isOthers(url, route, routes)) && status < 400) return undefined;
    const described = describedFor(route.responses, status);
    if (described === undefined) return `${status} is not described`;
    if (method === 'HEAD' || status === 204 || status === 304) return text === '' ? undefined : `${status} with a body`;
    return bodyTrouble({ described, contentType, answer, check });
  };
}

/** Clients resolve a part that is a dot or two before they send it. */
const leadsElsewhere = (url: string): boolean => /\/(\.|%2e){1,2}(\/|\?|$)/i.test(url);

/** Whether another route says in so many words what is a value to this one. */
function isOthers(url: string, route: Route, routes: readonly Route[]): boolean {
  const segments = segmentsOf(url.split('?', 1)[0] as string);
  return routes.some((other) => {
    const named = segmentsOf(other.path);
    if (other === route || other.method !== route.method || named.length !== segments.length) return false;
    return named.every((segment, i) => segment.startsWith('{') || segment === segments[i]);
  });
}

const segmentsOf = (path: string): readonly string[] => path.split('/');

function describedFor(responses: Route['responses'], status: number): Described | undefined {
  return responses[status] ?? responses[`${Math.floor(status / 100)}XX`];
}

type Looking = {
  readonly described: Described;
  readonly contentType: string;
  readonly answer: FuzzAnswer;
  readonly check: (schema: Schema, value: unknown) => string | undefined;
};

function bodyTrouble({ described, contentType, answer, check }: Looking): string | undefined {
  const { content } = described;
  if (content === undefined) return undefined;
  const type = contentType.split(';', 1)[0]?.trim() ?? '';
  const schema = content[type]?.schema;
  if (content[type] === undefined) return `${answer.status} as ${type === '' ? 'nothing' : type}, described are ${Object.keys(content).join(', ')}`;
  if (schema === undefined || answer.isPart) return undefined;
  if (!type.endsWith('json') || type === 'application/x-ndjson') return lineTrouble(type, answer.text);
  const value = parse(answer.text);
  if (value === undefined) return `${answer.status} with a body that is no JSON`;
  const trouble = check(schema, value.value);
  if (trouble !== undefined) return `${answer.status} with another body than described: ${trouble}`;
  const said = (value.value as { status?: unknown } | null)?.status;
  return type === 'application/problem+json' && said !== answer.status ? `a problem that says ${String(said)} as ${answer.status}` : undefined;
}

function lineTrouble(type: string, text: string): string | undefined {
  if (type !== 'application/x-ndjson') return undefined;
  const wrong = text.split('\n').find((line) => line !== '' && parse(line) === undefined);
  return wrong === undefined ? undefined : `a line that is no JSON: ${wrong.slice(0, 100)}`;
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
