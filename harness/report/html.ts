/** HTML from templates: whatever is put in is escaped, unless it is HTML already. A run's texts come from outside (answers, URLs, labels). */
export type Html = { readonly html: string };
type Part = Html | readonly Html[] | string | number | undefined;

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] as string);

/** Only for text that this room made itself. */
export const raw = (text: string): Html => ({ html: text });

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return raw(strings.reduce((text, piece, index) => text + written(parts[index - 1]) + piece));
}

function written(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return 'html' in part ? part.html : part.map((one) => one.html).join('\n');
}

/** JSON that may stand inside a script element: no character of it can end the element or begin a comment. */
export const scriptJson = (value: unknown): Html =>
  raw(JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029'));

/** A script of ours or of a library, made fit to stand inside its element. */
export const scriptText = (source: string): Html => raw(source.replace(/<\/(script)/gi, '<\\/$1').replaceAll('<!--', '<\\!--'));
export const styleText = (source: string): Html => raw(source.replace(/<\/(style)/gi, '<\\/$1'));
