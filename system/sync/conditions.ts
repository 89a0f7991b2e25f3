/** If-Match and If-None-Match as conditions of a change. */

import { Problem } from '#system/protocol/errors.ts';
import type { EntityTags } from '#system/protocol/headers/entity-tags.ts';
import { type Preconditions, readPreconditions } from '#system/protocol/headers/preconditions.ts';
import type { VersionCondition, Versions } from '#system/store/store.ts';

export const etagOf = (version: number): string => `"v${version}"`;

type Headers = Parameters<typeof readPreconditions>[0];

/** Throws the problem for a header that is no list of entity tags. */
export function preconditionsOf(headers: Headers): Preconditions {
  const asked = readPreconditions(headers);
  if (asked === undefined) throw new Problem('bad-request', 'If-Match and If-None-Match are * or a list of entity tags in quotes, as "v3", "v4".');
  return asked;
}

/** Throws as `preconditionsOf`. */
export function conditionOf(headers: Headers): VersionCondition {
  const { match, noneMatch } = preconditionsOf(headers);
  if (match === undefined && noneMatch === undefined) return { kind: 'any' };
  return { kind: 'versions', among: match && versionsOf(match), notAmong: noneMatch && versionsOf(noneMatch) };
}

/** A tag that was never given out is no version of anything, and fits nothing. */
const versionsOf = (tags: EntityTags): Versions =>
  tags === '*' ? 'any' : tags.flatMap(({ opaque }) => /^v([1-9]\d{0,14})$/.exec(opaque)?.[1] ?? []).map(Number);
