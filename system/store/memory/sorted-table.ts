/** A table with its keys in order, of one process. */
import type { OrderedTable } from '#system/store/ordered-changes.ts';

export function createSortedTable(): OrderedTable {
  const keys: string[] = [];
  const values = new Map<string, Buffer>();
  const textOf = (key: Buffer): string => key.toString('latin1');
  const indexOf = (text: string): number => {
    let low = 0;
    for (let high = keys.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((keys[middle] as string) < text) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    get: (key) => values.get(textOf(key)),
    put: (key, value) => {
      const text = textOf(key);
      if (!values.has(text)) keys.splice(indexOf(text), 0, text);
      values.set(text, Buffer.from(value));
    },
    remove: (key) => {
      const text = textOf(key);
      if (values.delete(text)) keys.splice(indexOf(text), 1);
    },
    range: function* ({ start, end, limit = Number.POSITIVE_INFINITY }) {
      const last = textOf(end);
      let given = 0;
      for (let i = indexOf(textOf(start)); i < keys.length && given < limit && (keys[i] as string) < last; i++, given++) {
        yield { key: Buffer.from(keys[i] as string, 'latin1'), value: values.get(keys[i] as string) as Buffer };
      }
    },
  };
}
