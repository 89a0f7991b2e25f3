/** If-Match and If-None-Match (RFC 9110, 8.8.3 and 13.1). Pure. */

/** `opaque`: what stands between the quotes. */
export type EntityTag = { readonly opaque: string; readonly isWeak: boolean };
/** `*` stands for whatever there is. */
export type EntityTags = '*' | readonly EntityTag[];

/** One element of a list, which may be empty (5.6.1), and the comma behind it. A comma may stand inside of a tag. */
const element = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|$)/y;

/** Undefined for what is neither `*` nor a list of tags. */
export function readEntityTags(header: string): EntityTags | undefined {
  if (header.trim() === '*') return '*';
  const tags: EntityTag[] = [];
  for (element.lastIndex = 0; element.lastIndex < header.length; ) {
    const found = element.exec(header);
    if (found === null) return undefined;
    if (found[2] !== undefined) tags.push({ opaque: found[2], isWeak: found[1] !== undefined });
  }
  return tags.length === 0 ? undefined : tags;
}

/** By the weak comparison (8.8.3.2), which If-None-Match asks for. `opaque`: of what is there. */
export const matchesWeakly = (tags: EntityTags, opaque: string): boolean => tags === '*' || tags.some((tag) => tag.opaque === opaque);

/** Those that the strong comparison may find, which If-Match asks for: no weak one ever fits. */
export const strongOnly = (tags: EntityTags): EntityTags => (tags === '*' ? tags : tags.filter(({ isWeak }) => !isWeak));
