/** Authorization (RFC 9110, 11.4; RFC 6750; RFC 7617). Pure. */
import { isUtf8 } from 'node:buffer';

/** `scheme` in lower case. */
export type Credentials = { readonly scheme: string; readonly token: string };
/** `password` undefined: there is no colon, as where a key is sent by itself. */
export type UserAndPassword = { readonly user: string; readonly password: string | undefined };

/** A scheme, and a token68: parameters are of schemes that are not spoken here. */
const form = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) +([A-Za-z0-9._~+/-]+=*)$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a user and a password may not have
const control = /[\x00-\x1f\x7f]/;

/** Undefined for whatever is not a scheme and a token. */
export function readCredentials(header: string): Credentials | undefined {
  const [, scheme, token] = form.exec(header) ?? [];
  return scheme === undefined || token === undefined ? undefined : { scheme: scheme.toLowerCase(), token };
}

/**
 * What a token of the scheme `Basic` says. Undefined for what is not base64 as RFC 4648 writes it, padding and all, so
 * that a credential has one spelling; for what is not UTF-8; and for control characters.
 */
export function readBasic(token: string): UserAndPassword | undefined {
  const bytes = Buffer.from(token, 'base64');
  if (bytes.toString('base64') !== token || !isUtf8(bytes)) return undefined;
  const text = bytes.toString('utf8');
  if (control.test(text)) return undefined;
  const colon = text.indexOf(':');
  return colon < 0 ? { user: text, password: undefined } : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
