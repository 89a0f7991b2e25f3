/** JSON as one line of text, as NDJSON needs it. */
import { isAscii, isUtf8 } from 'node:buffer';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * Valid JSON as one line, byte for byte as it came wherever that is one. A line break between its
 * tokens becomes a space, since what stands behind it would be a record of its own; inside strings
 * JSON has none. What is no UTF-8 becomes the replacement character.
 */
export function oneLine(json: Uint8Array): Uint8Array {
  const hasBreaks = json.includes(lineFeed) || json.includes(carriageReturn);
  if (!hasBreaks && (isAscii(json) || (isUtf8(json) && !hasRareBreaks(json)))) return json;
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8');
  return Buffer.from(escapeLineBreaks(text.replace(/[\n\r]/g, ' ')));
}

/**
 * The readers of lines in several languages also end a line at U+0085, U+2028 and U+2029, which JSON
 * allows inside strings: escaped there they mean the same and cut nothing.
 */
export const escapeLineBreaks = (json: string): string => (rareBreaks.test(json) ? json.replace(rareBreaksEach, escaped) : json);

const rareBreaks = /[\u0085\u2028\u2029]/;
const rareBreaksEach = /[\u0085\u2028\u2029]/g;
const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
const rareBytes = ['\u0085', '\u2028', '\u2029'].map((char) => Buffer.from(char));

function hasRareBreaks(json: Uint8Array): boolean {
  const bytes = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  return rareBytes.some((char) => bytes.includes(char));
}
