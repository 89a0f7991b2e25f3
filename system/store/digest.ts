import { hash } from 'node:crypto';

export const digestBytes = 16;

/** 128 bits of SHA-256: a false match would be a lost event, or one user's items in another's log. */
export function digestKey(...parts: readonly string[]): Buffer {
  return hash('sha256', parts.join('\0'), 'buffer').subarray(0, digestBytes);
}
