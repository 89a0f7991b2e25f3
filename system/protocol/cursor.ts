/**
 * A stream's cursor: base32hex (which sorts as its bytes do) of version 1 · epoch 8 · position 16 · check 4. The check covers whose log it is,
 * so that a cursor is good for its own principal only. It holds no node.
 */
import { crc32 } from 'node:zlib';

export const cursorLength = 47;
const version = 1;
const bodyBytes = 25;
const alphabet = '0123456789abcdefghijklmnopqrstuv';
const digits = new Map([...alphabet].map((digit, value) => [digit, value]));

export type CursorParts = {
  /** 16 hex digits. */
  readonly epoch: string;
  /** 32 hex digits. */
  readonly position: string;
};

export function encodeCursor({ epoch, position }: CursorParts, log: { readonly account: string; readonly principal: string }): string {
  const bytes = Buffer.alloc(bodyBytes + 4);
  bytes.writeUInt8(version);
  bytes.write(epoch, 1, 'hex');
  bytes.write(position, 9, 'hex');
  bytes.writeUInt32BE(checkOf(bytes, log), bodyBytes);
  return encode(bytes);
}

/** Undefined for what was not given out for this log. */
export function decodeCursor(text: string, log: { readonly account: string; readonly principal: string }): CursorParts | undefined {
  const bytes = decode(text);
  if (bytes === undefined || bytes.readUInt8(0) !== version || bytes.readUInt32BE(bodyBytes) !== checkOf(bytes, log)) return undefined;
  return { epoch: bytes.toString('hex', 1, 9), position: bytes.toString('hex', 9, bodyBytes) };
}

const checkOf = (bytes: Buffer, { account, principal }: { readonly account: string; readonly principal: string }): number =>
  crc32(`${account}\0${principal}`, crc32(bytes.subarray(0, bodyBytes)));

function encode(bytes: Buffer): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + alphabet[(held << (5 - bits)) & 31] : text;
}

function decode(text: string): Buffer | undefined {
  if (text.length !== cursorLength) return undefined;
  const bytes = Buffer.alloc(bodyBytes + 4);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of text) {
    const value = digits.get(digit);
    if (value === undefined) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.writeUInt8((held >> bits) & 0xff, at++);
    }
    held &= (1 << bits) - 1;
  }
  // Only one text for one cursor: the bits that are left over are zero.
  return held === 0 ? bytes : undefined;
}
