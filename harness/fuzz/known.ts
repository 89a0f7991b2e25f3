/**
 * What earlier answers named: ids, tokens, secrets. A case is made without it and holds places for it (`~webhook_id.3~`), which are filled in as it is
 * sent: so a case is its seed and its number, and still asks for things that are there.
 */
import fc from 'fast-check';

const keptOfAName = 50;
const isKept = (name: string): boolean => /_(id|token|secret)$|^(cursor|item|collection)$/.test(name);
/** In a case; `-` where nothing of that name is known. Of characters that a URL keeps as they are. */
const place = /~([a-z_]+)\.(\d+)~/g;

export const placeOf = (name: string): fc.Arbitrary<string> => fc.nat(keptOfAName - 1).map((index) => `~${name}.${index}~`);
/** Names that answers have no values of, and somebody else may tell. */
const toldNames: readonly string[] = ['url', 'token'];
/** Whether a value may be known of a field or a parameter: by its name alone. */
export const mayBeKnown = (name: string): boolean => isKept(name) || toldNames.includes(name);

/** The name under which answers tell what a path's part stands for: `webhook_id` for the id behind `/webhooks/`, else the part's own. */
export function idNameOf(path: string, part: string): string | undefined {
  if (mayBeKnown(part)) return part;
  const before = path
    .slice(0, path.indexOf(`{${part}}`))
    .split('/')
    .at(-2);
  return part === 'id' && before?.endsWith('s') === true ? `${before.slice(0, -1)}_id` : undefined;
}

export type Known = {
  readonly learn: (value: unknown) => void;
  readonly tell: (name: string, value: string) => void /** `write`: how a value stands in the text. */;
  readonly fill: (text: string, write?: (value: string) => string) => string;
};

export function createKnown(): Known {
  const values = new Map<string, string[]>();
  const tell = (name: string, value: string): void => {
    const own = values.get(name) ?? [];
    values.set(name, own);
    if (own.includes(value)) return;
    own.push(value);
    if (own.length > keptOfAName) own.shift();
  };
  const learn = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      if (typeof inner === 'string' && isKept(name)) tell(name, inner);
      else learn(inner);
    }
  };
  return {
    learn,
    tell,
    fill: (text, write = (value) => value) =>
      text.replace(place, (_, name: string, index: string) => {
        const own = values.get(name) ?? [];
        return write(own[Number(index) % own.length] ?? '-');
      }),
  };
}
