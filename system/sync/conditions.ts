/** If-Match and If-None-Match as conditions of a change (RFC 9110, 13.1). */
import type { Condition } from '#system/store/store.ts';

export const etagOf = (version: number): string => `"v${version}"`;

/** Undefined for headers that are not understood. */
export function conditionOf(ifMatch: string | undefined, ifNoneMatch: string | undefined): Condition | undefined {
  if (ifMatch !== undefined && ifNoneMatch !== undefined) return undefined;
  if (ifNoneMatch !== undefined) return ifNoneMatch === '*' ? { kind: 'absent' } : undefined;
  if (ifMatch === undefined) return { kind: 'any' };
  if (ifMatch === '*') return { kind: 'present' };
  const version = /^"v([1-9]\d{0,14})"$/.exec(ifMatch)?.[1];
  return version === undefined ? undefined : { kind: 'version', version: Number(version) };
}
