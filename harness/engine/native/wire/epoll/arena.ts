/**
 * All memory that system calls are given: one block outside V8's heap that is allocated once, never grown, never handed to anybody, and lives as
 * long as its wire. An address that leaves this file lies inside the block; nothing else's address is ever taken.
 */
import { strict as assert } from 'node:assert';

/** Far above one answer of the contract; a longer one comes in several reads. */
export const readBytes = 65_536;
/** Far above one request; a longer one goes out in several writes. */
export const writeBytes = 65_536;
export const eventsMax = 256;
/** x64 packs the kernel's struct, arm64 does not. */
export const eventBytes = process.arch === 'x64' ? 12 : 16;
export const eventDataAt = process.arch === 'x64' ? 4 : 8;
/** A header of 16 bytes and a timespec, with room for what else the kernel may add. */
const controlBytes = 128;
const messageHeaderBytes = 56;

export type Arena = {
  readonly block: ArrayBuffer;
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly signed: Int32Array;
  readonly longs: BigUint64Array;
  /** Where each part begins, in bytes. */
  readonly at: typeof parts;
  /** The same as addresses. */
  readonly pointer: { readonly [Part in keyof typeof parts]: bigint };
};

/** Each begins at a multiple of 16. */
const parts = {
  read: 0,
  write: readBytes,
  events: readBytes + writeBytes,
  event: readBytes + writeBytes + eventsMax * 16,
  timespec: readBytes + writeBytes + eventsMax * 16 + 16,
  message: readBytes + writeBytes + eventsMax * 16 + 32,
  vector: readBytes + writeBytes + eventsMax * 16 + 96,
  control: readBytes + writeBytes + eventsMax * 16 + 112,
  /** An option's value, its length behind it. */
  option: readBytes + writeBytes + eventsMax * 16 + 112 + controlBytes,
  address: readBytes + writeBytes + eventsMax * 16 + 128 + controlBytes,
};
const blockBytes = parts.address + 32;

export function createArena(addressOf: (block: ArrayBuffer) => bigint): Arena {
  const block = new ArrayBuffer(blockBytes);
  const base = addressOf(block);
  assert(base !== 0n && base % 8n === 0n, 'the block of the epoll wire has no aligned address');
  const pointer = Object.fromEntries(Object.entries(parts).map(([part, at]) => [part, base + BigInt(at)])) as Arena['pointer'];
  const arena = {
    block,
    bytes: Buffer.from(block),
    words: new Uint32Array(block),
    signed: new Int32Array(block),
    longs: new BigUint64Array(block),
    at: parts,
    pointer,
  };
  describeMessage(arena);
  return arena;
}

/** `struct msghdr` with one vector, the read buffer, the same for every read; see recvmsg(2). */
function describeMessage({ longs, at, pointer }: Arena): void {
  assert(at.vector - at.message >= messageHeaderBytes);
  longs[at.vector / 8] = pointer.read;
  longs[at.vector / 8 + 1] = BigInt(readBytes);
  longs[at.message / 8 + 2] = pointer.vector;
  longs[at.message / 8 + 3] = 1n;
  longs[at.message / 8 + 4] = pointer.control;
}

/** The kernel writes into the lengths; to be called before every read. */
export function readyMessage({ words, at }: Arena): void {
  words[at.message / 4 + 10] = controlBytes;
}

/** Copies a request, one byte a character; answers its length. */
export function putText({ bytes, at }: Arena, text: string): number {
  assert(text.length <= writeBytes);
  return bytes.write(text, at.write, text.length, 'latin1');
}

export function putBytes({ bytes, at }: Arena, source: Buffer, from: number): number {
  const length = Math.min(writeBytes, source.length - from);
  assert(from >= 0 && length > 0);
  return source.copy(bytes, at.write, from, from + length);
}

export function putTimespec({ words, at }: Arena, ms: number): void {
  const seconds = Math.floor(ms / 1000);
  words[at.timespec / 4] = seconds;
  words[at.timespec / 4 + 1] = 0;
  words[at.timespec / 4 + 2] = Math.min(999_999_999, Math.floor((ms - seconds * 1000) * 1e6));
  words[at.timespec / 4 + 3] = 0;
}
