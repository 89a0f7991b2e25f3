/** JSON as one line of text, as NDJSON needs it. */
import { isUtf8 } from 'node:buffer';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * The same bytes wherever they can be one line, and otherwise the same JSON written anew: between its tokens JSON may have line breaks, and what stands behind one would be a line, and so a record, of its own.
 * `json`: valid, but for bytes that are no UTF-8.
 */
export const oneLine = (json: Uint8Array): Uint8Array =>
  !json.includes(lineFeed) && !json.includes(carriageReturn) && isUtf8(json)
    ? json
    : Buffer.from(JSON.stringify(JSON.parse(Buffer.from(json).toString('utf8'))));
