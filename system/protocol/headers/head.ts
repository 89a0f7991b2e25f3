/** What is wrong with the head of a request before anybody asks what it is for (RFC 9110, RFC 9112). Pure. */

export type Head = {
  readonly isHttp10: boolean;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[];
};

/** `isLast`: where the request ends cannot be trusted, so nothing behind it may be read. */
export type HeadFault = {
  readonly code: 'bad-request' | 'expectation-failed' | 'not-implemented';
  readonly detail: string;
  readonly isLast: boolean;
};

/** A Host (RFC 9110, 7.2; RFC 3986, 3.2.2): a name, an IPv4 address or an IPv6 one in brackets, and perhaps a port. An http address has one that is not empty. */
export const hostPattern = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::\d{0,5})?$/;

/** Whoever came first would win at one reader and whoever came last at another. */
const single: ReadonlySet<string> = new Set(['authorization', 'content-encoding', 'content-type', 'host']);

/** Undefined where the head is right. */
export function faultOf({ isHttp10, headers, rawHeaders }: Head): HeadFault | undefined {
  const repeated = repeatedName(rawHeaders);
  if (repeated !== undefined) return refused(`The header ${repeated} is there more than once.`);
  const { host } = headers;
  if (host === undefined && !isHttp10) return refused('Send a Host header: HTTP/1.1 asks for one.');
  if (host !== undefined && !hostPattern.test(String(host))) return refused('The Host header is no name or address with or without a port.');
  return codingFault(headers['transfer-encoding'], isHttp10) ?? expectationFault(headers.expect, isHttp10);
}

const refused = (detail: string): HeadFault => ({ code: 'bad-request', detail, isLast: false });

function repeatedName(rawHeaders: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    if (!single.has(name)) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

/** RFC 9112, 6.1: chunks alone are undone here, and HTTP/1.0 has none. */
function codingFault(header: Head['headers'][string], isHttp10: boolean): HeadFault | undefined {
  if (header === undefined) return undefined;
  if (isHttp10) return { ...refused('HTTP/1.0 has no Transfer-Encoding: send a Content-Length.'), isLast: true };
  if (String(header).trim().toLowerCase() === 'chunked') return undefined;
  return { code: 'not-implemented', detail: 'Of transfer codings only chunked is understood, by itself.', isLast: true };
}

/** RFC 9110, 10.1.1: HTTP/1.0 expects nothing. */
function expectationFault(header: Head['headers'][string], isHttp10: boolean): HeadFault | undefined {
  if (header === undefined || isHttp10) return undefined;
  const expected = String(header)
    .split(',')
    .map((each) => each.trim().toLowerCase());
  if (expected.every((each) => each === '100-continue' || each === '')) return undefined;
  return { code: 'expectation-failed', detail: 'Of expectations only 100-continue is met.', isLast: false };
}
