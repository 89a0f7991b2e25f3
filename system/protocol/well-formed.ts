/** Texts that can be written as UTF-8 and read again. Keys that are not would fall together, and values would come back as others. */
import { isUtf8 } from 'node:buffer';

const surrogateEscape = /\\u[dD][89a-fA-F]/;

/** The value of a JSON text; undefined for what is no JSON, no UTF-8, or has a string with half a surrogate pair. */
export function parseJsonText(bytes: Uint8Array): { readonly value: unknown } | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return surrogateEscape.test(text) && !isWellFormed(value) ? undefined : { value };
  } catch {
    return undefined;
  }
}

export function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (Array.isArray(value)) return value.every(isWellFormed);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, each]) => key.isWellFormed() && isWellFormed(each));
}
