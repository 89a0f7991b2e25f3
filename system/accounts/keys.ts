/** Random keys. */
import { randomBytes } from 'node:crypto';

const keyBytes = 32;

export const newSecret = (): string => randomBytes(keyBytes).toString('base64url');
export const newAccountId = (): string => `acc${randomBytes(9).toString('hex')}`;
export const newPublishableKey = (account: string): string => `pk_${account}_${newSecret()}`;

/** The account a publishable key says it is of; undefined for what is no publishable key. */
export const accountOfKey = (key: string): string | undefined => /^pk_(acc[0-9a-f]{18})_[A-Za-z0-9_-]{43}$/.exec(key)?.[1];
