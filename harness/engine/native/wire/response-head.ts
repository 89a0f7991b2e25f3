/**
 * What an answer's head says: its status, whether the connection can carry another request, and where the body ends (RFC 9112 §6.3). Strict where leniency would
 * let two readers disagree on that end.
 */

export const bodyBytesMax = 64 * 1024 * 1024;

export type Framing =
  /** Another answer follows, which is the one that counts. */
  | { readonly kind: 'interim' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' }
  /** `what` is wrong with it. */
  | { readonly kind: 'broken'; readonly what: string };

export type ResponseHead = { readonly status: number; readonly keepAlive: boolean; readonly framing: Framing };

const statusLine = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?$/;
const decimal = /^\d{1,15}$/;
const broken = (what: string, status = 0): ResponseHead => ({ status, keepAlive: false, framing: { kind: 'broken', what } });

let lastText = '';
let last = broken('its status line');

/** Of the text before the empty line. A server's answers of one second have one head, date and all: what was read last is not read again. */
export function headOf(text: string): ResponseHead {
  if (text === lastText) return last;
  last = readHead(text);
  lastText = text;
  return last;
}

function readHead(text: string): ResponseHead {
  const lines = text.split('\r\n');
  const found = statusLine.exec(lines[0]!);
  if (found === null) return broken('its status line');
  const status = Number(found[1]);
  let length: string | undefined;
  let encoding: string | undefined;
  let connection = '';
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(':');
    if (colon < 1 || line.charCodeAt(colon - 1) <= 0x20) return broken('a header without a name', status);
    // Only three names matter, told apart by their length before anything is copied.
    if (colon !== 10 && colon !== 14 && colon !== 17) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'connection') connection += `,${value.toLowerCase()}`;
    else if (name === 'transfer-encoding') encoding = encoding === undefined ? value.toLowerCase() : `${encoding},${value.toLowerCase()}`;
    else if (name === 'content-length') {
      if (length !== undefined && length !== value) return broken('two lengths', status);
      length = value;
    }
  }
  const framing = framingOf(status, length, encoding);
  const keeps = lines[0]!.startsWith('HTTP/1.0') ? /,\s*keep-alive\s*(,|$)/.test(connection) : !/,\s*close\s*(,|$)/.test(connection);
  return { status, keepAlive: keeps && framing.kind !== 'until-close' && framing.kind !== 'broken', framing };
}

function framingOf(status: number, length: string | undefined, encoding: string | undefined): Framing {
  if (status === 101) return { kind: 'broken', what: 'it switches protocols' };
  if (status < 200) return { kind: 'interim' };
  if (status === 204 || status === 304) return { kind: 'length', bytes: 0 };
  if (encoding !== undefined) {
    if (length !== undefined) return { kind: 'broken', what: 'chunked and a length' };
    if (encoding !== 'chunked') return { kind: 'broken', what: `transfer-encoding ${encoding.slice(0, 40)}` };
    return { kind: 'chunked' };
  }
  if (length === undefined) return { kind: 'until-close' };
  if (!decimal.test(length) || Number(length) > bodyBytesMax) return { kind: 'broken', what: 'its length' };
  return { kind: 'length', bytes: Number(length) };
}
