/**
 * Which answers a page of another origin may read, by the Fetch standard ("HTTP-network-or-cache fetch", "CORS protocol").
 * No answer allows credentials of the browser's own (cookies, its password store): what may be read depends on the
 * Authorization header alone, which a page has to know. Pure.
 */

/** `secret`: only the account's secret gets in, which is not for pages. `none`: for nobody's page, as there is no credential at all. */
export type CorsPolicy = 'open' | 'secret' | 'none';
/** Origins as a browser writes them. */
export type Origins = 'any' | readonly string[];
export type CorsSettings = { readonly origins: Origins; readonly secretOrigins: Origins };
export const corsDefaults: CorsSettings = { origins: 'any', secretOrigins: [] };

export type CorsAsked = { readonly origin: string | undefined; readonly method: string; readonly policy: CorsPolicy };
type Headers = Readonly<Record<string, string>>;

/** What a page may read beside what it always may. */
const exposed = [
  'Date',
  'ETag',
  'Export-Cursor',
  'Pagination-Token',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Sync-Cursor',
  'Sync-Epoch',
  'Sync-Replay-From',
  'WWW-Authenticate',
  'X-Request-Id',
].join(', ');

const allowedHeaders = [
  'Accept',
  'Authorization',
  'Cache-Control',
  'Content-Encoding',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'Traceparent',
  'Tracestate',
  'X-Request-Id',
].join(', ');

const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE';
/** Chromium keeps no preflight for longer. */
const keptSeconds = 7200;

const originsFor = ({ origins, secretOrigins }: CorsSettings, policy: CorsPolicy): Origins =>
  policy === 'open' ? origins : policy === 'secret' ? secretOrigins : [];

/** The value of Access-Control-Allow-Origin; undefined where the page may read nothing. */
function allowedOrigin(origins: Origins, origin: string | undefined): string | undefined {
  if (origin === undefined) return undefined;
  if (origins === 'any') return '*';
  return origins.includes(origin) ? origin : undefined;
}

/** For an answer, a refusal as well. What may be kept by a cache says that it is another one for another origin. */
export function corsHeaders(settings: CorsSettings, { origin, method, policy }: CorsAsked): Headers {
  const origins = originsFor(settings, policy);
  if (origins !== 'any' && origins.length === 0) return {};
  const vary = method === 'GET' || method === 'HEAD' ? { vary: 'Origin' } : {};
  const allowed = allowedOrigin(origins, origin);
  return allowed === undefined ? vary : { ...vary, 'access-control-allow-origin': allowed, 'access-control-expose-headers': exposed };
}

/** For the question before a request; undefined where the request may not be made. */
export function preflightHeaders(settings: CorsSettings, { origin, policy }: Pick<CorsAsked, 'origin' | 'policy'>): Headers | undefined {
  const allowed = allowedOrigin(originsFor(settings, policy), origin);
  if (allowed === undefined) return undefined;
  return {
    'access-control-allow-origin': allowed,
    'access-control-allow-methods': allowedMethods,
    'access-control-allow-headers': allowedHeaders,
    'access-control-max-age': String(keptSeconds),
    vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
  };
}

/** `*`, `none`, or origins with commas between. Undefined for what is none of that. */
export function readOrigins(text: string): Origins | undefined {
  if (text === '*') return 'any';
  if (text === 'none') return [];
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? origins : undefined;
}

/** As a browser sends it, or nothing would ever be equal: no path, no default port, lower case. An app's own scheme is one too. */
function isOrigin(text: string): boolean {
  if (/^https?:/i.test(text)) return URL.canParse(text) && new URL(text).origin === text && !text.includes('*');
  return /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._~-]+(?::\d{1,5})?$/.test(text);
}
