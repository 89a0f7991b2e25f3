/** Random keys and their digests. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

const keyBytes = 32;

export const newSecret = (): string => randomBytes(keyBytes).toString('base64url');
export const newAccountId = (): string => `acc${randomBytes(9).toString('hex')}`;
export const newPublishableKey = (account: string): string => `pk_${account}_${newSecret()}`;

/** The account a publishable key says it is of; undefined for what is no publishable key. */
export const accountOfKey = (key: string): string | undefined => /^pk_(acc[0-9a-f]{18})_[A-Za-z0-9_-]{43}$/.exec(key)?.[1];

export const digestOf = (secret: string): string => hash('sha256', secret, 'hex');

/** In constant time; both sides are digests, so their lengths are the same whatever was presented. */
export const matchesDigest = (secret: string, digest: string): boolean => {
  const presented = Buffer.from(digestOf(secret));
  const expected = Buffer.from(digest);
  return presented.length === expected.length && timingSafeEqual(presented, expected);
};
