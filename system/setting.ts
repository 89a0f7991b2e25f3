/** What a setting is, and kinds that several rooms have. */
import { networksOf } from './edge/proxy-listener.ts';

export type Setting<T> = {
  readonly flag: string;
  readonly env: string;
  readonly about: string;
  readonly read: (text: string) => T | undefined;
  readonly expected: string;
  readonly byDefault: T;
  /** For the help, where it is not what a text would be. */
  readonly show?: (value: T) => string;
};

export const integer = (minimum: number, maximum: number) => ({
  read: (text: string) => (/^\d+$/.test(text) && Number(text) >= minimum && Number(text) <= maximum ? Number(text) : undefined),
  expected: `a whole number from ${minimum} to ${maximum}`,
});
export const text = { read: (value: string) => (value === '' ? undefined : value), expected: 'a text that is not empty' };

/** As a bearer token is written (RFC 6750, 2.1): another one could not be sent. */
export const bearerToken = {
  read: (value: string) => (/^[A-Za-z0-9._~+/-]+=*$/.test(value) ? value : undefined),
  expected: 'letters, digits and -._~+/, with or without = at its end',
};

export function readNetworks(value: string): readonly string[] | undefined {
  const networks = value.split(',').map((network) => network.trim());
  try {
    networksOf(networks);
    return networks;
  } catch {
    return undefined;
  }
}
