/** The export's cursor: a vector of positions in an opaque coat. */
import { type LogCursor, partitionCount } from '#system/store/store.ts';

export const encodeCursor = (cursor: LogCursor): string => Buffer.from(JSON.stringify(cursor)).toString('base64url');

/** As all stores write them. */
const isPosition = (text: string): boolean => /^(?:[0-9a-f]{16})?$/.test(text);

/** Undefined for what is not one of ours. */
export function decodeCursor(text: string): LogCursor | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
    for (const [partition, position] of Object.entries(parsed)) {
      const number = Number(partition);
      if (!Number.isInteger(number) || number < 0 || number >= partitionCount || typeof position !== 'string' || !isPosition(position)) return undefined;
    }
    return parsed as LogCursor;
  } catch {
    return undefined;
  }
}
