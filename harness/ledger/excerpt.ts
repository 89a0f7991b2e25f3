/** A part of an answer's own bytes, for whoever looks for one thing in it. Pure. */

const excerptBefore = 1000;
const excerptLength = 3000;

/** 3,000 characters around the first of these names that is there; else how the answer begins. */
export function excerptOf(pages: readonly string[], names: readonly string[]): string {
  for (const name of names)
    for (const page of pages) {
      const at = page.indexOf(`"${name}"`);
      if (at >= 0) return page.slice(Math.max(0, at - excerptBefore), at - excerptBefore + excerptLength);
    }
  return (pages[0] ?? '').slice(0, excerptLength);
}
