/**
 * Where the events of a batch stand in its body, so that each is kept in the bytes in which it came: a number that is
 * read and written again may be another one. For a body that JSON.parse has taken, and found a batch in. Pure.
 */

export type Span = { readonly start: number; readonly end: number };

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const open = new Set([0x5b, 0x7b]);
const close = new Set([0x5d, 0x7d]);
const arrayOpen = 0x5b;
const blanks = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Of the items of the array that the body is, or of the one that its object calls `events`. */
export function itemSpans(body: Uint8Array): readonly Span[] {
  const start = skipBlanks(body, 0);
  const parts = partsOf(body, start);
  if (body[start] === arrayOpen) return parts;
  let events: Span | undefined;
  for (const part of parts) {
    const keyEnd = stringEnd(body, part.start);
    const key = JSON.parse(Buffer.from(body.subarray(part.start, keyEnd)).toString('utf8')) as string;
    // Of a key that is there twice, JSON.parse has taken the last.
    if (key === 'events') events = { start: skipBlanks(body, body.indexOf(colon, keyEnd) + 1), end: part.end };
  }
  return events === undefined ? [] : partsOf(body, events.start);
}

/** What stands between the commas of the array or object that opens at `at`, without blanks around it. */
function partsOf(body: Uint8Array, at: number): readonly Span[] {
  const parts: Span[] = [];
  let start = skipBlanks(body, at + 1);
  let depth = 1;
  let index = start;
  for (; depth > 0; index++) {
    const byte = body[index] as number;
    if (byte === quote) index = stringEnd(body, index) - 1;
    else if (open.has(byte)) depth++;
    else if (close.has(byte)) depth--;
    else if (byte === comma && depth === 1) {
      parts.push(trimmed(body, { start, end: index }));
      start = skipBlanks(body, index + 1);
    }
  }
  const last = trimmed(body, { start, end: index - 1 });
  return last.end > last.start ? [...parts, last] : parts;
}

/** Behind the closing quote of the string that opens at `at`. */
function stringEnd(body: Uint8Array, at: number): number {
  let index = at + 1;
  while (body[index] !== quote) index += body[index] === backslash ? 2 : 1;
  return index + 1;
}

function skipBlanks(body: Uint8Array, at: number): number {
  let index = at;
  while (blanks.has(body[index] as number)) index++;
  return index;
}

function trimmed(body: Uint8Array, { start, end }: Span): Span {
  let last = end;
  while (last > start && blanks.has(body[last - 1] as number)) last--;
  return { start, end: last };
}
