/** One request to any HTTP service, as it was typed. Pure: what is in files and in the environment is handed in. */

export const urlMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type UrlMethod = (typeof urlMethods)[number];

/** Statuses from one to another, both included. */
export type StatusRange = { readonly from: number; readonly until: number };

export type UrlRequest = {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly method: UrlMethod;
  /** With its query. */
  readonly path: string;
  /** Lines `Name: value`; a character is a byte. They may hold secrets, and stand in no record. */
  readonly headers: readonly string[];
  /** A character is a byte. */
  readonly body: string;
  /** An answer with another status has failed. */
  readonly expect: readonly StatusRange[];
};

export type UrlArguments = {
  readonly url: string;
  readonly method?: string | undefined;
  readonly header: readonly string[];
  /** Of the body: its file's name and bytes. */
  readonly body?: { readonly file: string; readonly bytes: Buffer } | undefined;
  readonly expect?: string | undefined;
};

export type ReadUrlRequest = { readonly kind: 'ok'; readonly request: UrlRequest } | { readonly kind: 'error'; readonly message: string };

/** Every arrival sends it whole. */
const bodyBytesMax = 2 ** 20;
const engineHeaders: ReadonlySet<string> = new Set(['host', 'content-length', 'connection', 'transfer-encoding', 'expect', 'upgrade']);
const expectDefault = '200-299';

class Trouble extends Error {}

/** Answers a sentence that names the option where something is wrong. */
export function readUrlRequest(args: UrlArguments, environment: Readonly<Record<string, string | undefined>>): ReadUrlRequest {
  try {
    const { origin, path } = readUrl(args.url);
    const method = methodOf(args);
    if (args.body !== undefined && method === 'GET') throw new Trouble('--body goes with --method POST, PUT, PATCH or DELETE: a GET has none');
    const headers = args.header.map((line) => readHeader(line, environment));
    const body = bodyOf(args.body);
    return {
      kind: 'ok',
      request: { origin, method, path, headers: withType(headers, args.body?.file), body, expect: readExpect(args.expect ?? expectDefault) },
    };
  } catch (error) {
    if (error instanceof Trouble) return { kind: 'error', message: error.message };
    throw error;
  }
}

function readUrl(given: string): { readonly origin: string; readonly path: string } {
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Trouble(`--url has to be an http or https URL, as http://127.0.0.1:3000/orders, not ${given}`);
  if (url.username !== '' || url.password !== '')
    throw new Trouble(
      `--url has a user or password in it, which would stand in the process list: give --header 'Authorization: Basic \${NAME}' and set NAME in the environment`,
    );
  if (url.hash !== '') throw new Trouble(`--url ends in ${url.hash}, which no request carries: leave it out`);
  return { origin: url.origin, path: `${url.pathname}${url.search}` };
}

function methodOf({ method, body }: UrlArguments): UrlMethod {
  const given = method?.toUpperCase() ?? (body === undefined ? 'GET' : 'POST');
  const known = urlMethods.find((one) => one === given);
  if (known === undefined) throw new Trouble(`--method is one of ${urlMethods.join(', ')}, not ${method}`);
  return known;
}

/** `${NAME}` stands for what the environment has under that name. */
function readHeader(line: string, environment: Readonly<Record<string, string | undefined>>): string {
  const [, name = '', given = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/s.exec(line) ?? [];
  if (name === '') throw new Trouble(`--header has to be 'Name: value', not '${line}'`);
  if (engineHeaders.has(name.toLowerCase())) throw new Trouble(`--header ${name}: that header is the engine's own to write`);
  const value = given.replaceAll(/\$\{(\w+)\}/g, (_, variable: string) => {
    const found = environment[variable];
    if (found === undefined) throw new Trouble(`--header ${name}: the environment has no ${variable}`);
    return found;
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a header must not hold one.
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) throw new Trouble(`--header ${name}: its value has a line break or another control character`);
  return `${name}: ${Buffer.from(value).toString('latin1')}`;
}

function bodyOf(body: UrlArguments['body']): string {
  if (body === undefined) return '';
  const { file, bytes } = body;
  if (bytes.length > bodyBytesMax)
    throw new Trouble(`--body ${file} has ${bytes.length.toLocaleString('en-US')} bytes; at most ${bodyBytesMax.toLocaleString('en-US')} can be sent`);
  return bytes.toString('latin1');
}

/** Without one of its own a body's type follows from its file's name. */
function withType(headers: readonly string[], file: string | undefined): readonly string[] {
  if (file === undefined || headers.some((line) => /^content-type:/i.test(line))) return headers;
  return [...headers, `Content-Type: ${/\.json$/i.test(file) ? 'application/json' : 'application/octet-stream'}`];
}

function readExpect(text: string): readonly StatusRange[] {
  return text.split(',').map((part) => {
    const [, first = '', last = first] = /^\s*([1-5]\d\d)(?:-([1-5]\d\d))?\s*$/.exec(part) ?? [];
    const range = { from: Number(first), until: Number(last) };
    if (first === '' || range.from > range.until) throw new Trouble(`--expect has to be statuses, as 200,201 or 200-299, not ${text}`);
    return range;
  });
}
