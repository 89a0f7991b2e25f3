/** Keys of the outward table. */
import type { OrderedTable } from './ordered-changes.ts';

export const keyOf = (kind: string, ...parts: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from(kind), ...parts]);

const beyond = Buffer.from([0xff]);

/**
 * Whether there is anything of a kind. Looked at before its partitions are: every worker asks twenty times a second, and nearly always
 * there is nothing.
 */
export function hasAny(table: OrderedTable, kind: string): boolean {
  for (const _ of table.range({ start: keyOf(kind), end: keyOf(kind, beyond), limit: 1 })) return true;
  return false;
}

export function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

export function timeBytes(ms: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(Math.max(0, Math.min(2 ** 48 - 1, Math.floor(ms))), 0, 6);
  return bytes;
}
