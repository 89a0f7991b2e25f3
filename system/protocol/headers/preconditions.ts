/** If-Match and If-None-Match of one request, in the order in which they count (RFC 9110, 13.2.2). Pure. */
import { type EntityTags, matchesWeakly, readEntityTags, strongOnly } from './entity-tags.ts';

/** `match`: of strong tags alone. Undefined: not asked for. */
export type Preconditions = { readonly match: EntityTags | undefined; readonly noneMatch: EntityTags | undefined };
export type PreconditionOutcome = 'holds' | 'match-failed' | 'none-match-failed';

type Headers = { readonly 'if-match'?: string | undefined; readonly 'if-none-match'?: string | undefined };

/** Undefined where one is neither `*` nor a list of tags. */
export function readPreconditions({ 'if-match': match, 'if-none-match': noneMatch }: Headers): Preconditions | undefined {
  const wanted = match === undefined ? undefined : readEntityTags(match);
  const unwanted = noneMatch === undefined ? undefined : readEntityTags(noneMatch);
  if ((match !== undefined && wanted === undefined) || (noneMatch !== undefined && unwanted === undefined)) return undefined;
  return { match: wanted && strongOnly(wanted), noneMatch: unwanted };
}

/** `opaque`: of the strong tag of what is there. */
export function judge({ match, noneMatch }: Preconditions, opaque: string): PreconditionOutcome {
  if (match !== undefined && !matchesWeakly(match, opaque)) return 'match-failed';
  return noneMatch !== undefined && matchesWeakly(noneMatch, opaque) ? 'none-match-failed' : 'holds';
}
