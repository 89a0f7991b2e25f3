/** A service's text, made safe for where it goes: what it answers must not draw in a report or steer a terminal. */

/** Control characters, and those that turn the direction of text around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

/** On one line, every character of which is seen; XML can hold it too. */
export const printable = (text: string): string =>
  text.toWellFormed().replaceAll(unprintable, (character) => {
    if (character === '\n' || character === '\t') return ' ';
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '@': '&#64;' };

/** In Markdown, where HTML, links, mentions and marks of a foreign text are text. */
export const markdownText = (text: string): string =>
  printable(text)
    .replaceAll(/[&<>@]/g, (character) => entities[character] as string)
    .replaceAll(/[\\`*[\]|~]/g, (character) => `\\${character}`);
