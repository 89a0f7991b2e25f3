/** Secrets are kept as digests, and what is presented is compared with one in constant time. */
import { hash, timingSafeEqual } from 'node:crypto';

export const digestOf = (secret: string): string => hash('sha256', secret, 'hex');

/** Both sides are digests, so their lengths are the same whatever was presented. */
export const matchesDigest = (secret: string, digest: string): boolean => {
  const presented = Buffer.from(digestOf(secret));
  const expected = Buffer.from(digest);
  return presented.length === expected.length && timingSafeEqual(presented, expected);
};
