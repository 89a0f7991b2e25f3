/**
 * Where the parts of a JSON text stand in it, so that each can be kept and shown in the bytes in which it came: a number that is read and
 * written again may be another one. Only for texts that JSON.parse has taken. Pure.
 */

/** From `start` to before `end`, in bytes. */
export type Span = { readonly start: number; readonly end: number };
/** `key` as JSON.parse reads it; `value` and `whole` without blanks around them. */
export type Member = { readonly key: string; readonly value: Span; readonly whole: Span };

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const open = new Set([0x5b, 0x7b]);
const close = new Set([0x5d, 0x7d]);
const blanks = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** What stands between the commas of the array or object that opens at `at`, without blanks around it. */
export function partSpans(json: Uint8Array, at: number): readonly Span[] {
  const parts: Span[] = [];
  let start = skipBlanks(json, at + 1);
  let depth = 1;
  let index = start;
  for (; depth > 0; index++) {
    const byte = json[index] as number;
    if (byte === quote) index = stringEnd(json, index) - 1;
    else if (open.has(byte)) depth++;
    else if (close.has(byte)) depth--;
    else if (byte === comma && depth === 1) {
      parts.push(trimmed(json, { start, end: index }));
      start = skipBlanks(json, index + 1);
    }
  }
  const last = trimmed(json, { start, end: index - 1 });
  return last.end > last.start ? [...parts, last] : parts;
}

/** Of the object that opens at `at`, in the order in which they stand; a key may be there twice. */
export const memberSpans = (json: Uint8Array, at: number): readonly Member[] =>
  partSpans(json, at).map((whole) => {
    const keyEnd = stringEnd(json, whole.start);
    const key = JSON.parse(textOf(json.subarray(whole.start, keyEnd))) as string;
    return { key, whole, value: { start: skipBlanks(json, json.indexOf(colon, keyEnd) + 1), end: whole.end } };
  });

/** The value of an object's member, undefined where there is none. Of a key that is there twice JSON.parse takes the last, and so does this. */
export const memberSpan = (json: Uint8Array, key: string): Span | undefined =>
  memberSpans(json, skipBlanks(json, 0)).findLast((member) => member.key === key)?.value;

/** The text without the blanks around it. */
export function withoutBlanks(json: Uint8Array): Uint8Array {
  const { start, end } = trimmed(json, { start: skipBlanks(json, 0), end: json.length });
  return json.subarray(start, end);
}

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');

/** Behind the closing quote of the string that opens at `at`. */
function stringEnd(json: Uint8Array, at: number): number {
  let index = at + 1;
  while (json[index] !== quote) index += json[index] === backslash ? 2 : 1;
  return index + 1;
}

export function skipBlanks(json: Uint8Array, at: number): number {
  let index = at;
  while (blanks.has(json[index] as number)) index++;
  return index;
}

function trimmed(json: Uint8Array, { start, end }: Span): Span {
  let last = end;
  while (last > start && blanks.has(json[last - 1] as number)) last--;
  return { start, end: last };
}
