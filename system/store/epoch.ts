import { randomBytes } from 'node:crypto';

/** Which life of the data this is: 16 hex digits, milliseconds first, so that a later one also looks later. */
export const newEpoch = (nowMs: number): string => nowMs.toString(16).padStart(12, '0') + randomBytes(2).toString('hex');
