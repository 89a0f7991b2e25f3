/**
 * Values that are shown in the bytes in which they came. JSON.parse and JSON.stringify make 9007199254740992 of 9007199254740993, null of
 * 1e400, 0 of -0, another order of keys that look like numbers, and one of two equal keys: what somebody else's text said is never read
 * and written anew, it is carried as a `RawJson` and written by `jsonText`.
 */
import { memberSpan, textOf } from './json-spans.ts';

export class RawJson {
  /** One value that JSON.parse takes. */
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A member of the object that a JSON text is; undefined where it has none by that key. */
export function rawMember(json: Uint8Array, key: string): RawJson | undefined {
  const span = memberSpan(json, key);
  return span === undefined ? undefined : new RawJson(textOf(json.subarray(span.start, span.end)));
}

/** As JSON.stringify, but that a RawJson is its own text. For objects and lists: what has no text of its own is left out of them, or null. */
export const jsonText = (value: object): string => writtenOf(value) as string;

function writtenOf(value: unknown): string | undefined {
  if (value instanceof RawJson) return value.text;
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((each) => writtenOf(each) ?? 'null').join(',')}]`;
  return `{${Object.entries(value)
    .map(([key, each]) => [JSON.stringify(key), writtenOf(each)] as const)
    .filter(([, text]) => text !== undefined)
    .map(([key, text]) => `${key}:${text}`)
    .join(',')}}`;
}
