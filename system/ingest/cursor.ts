/** The export's cursor: the epoch and a vector of positions in an opaque coat. */
import { type LogCursor, partitionCount } from '#system/store/store.ts';

/** Of another epoch a position says nothing: after a restore others are given the same. */
export type ExportCursor = { readonly epoch: string; readonly positions: LogCursor };

export const encodeCursor = ({ epoch, positions }: ExportCursor): string => Buffer.from(JSON.stringify({ e: epoch, p: positions })).toString('base64url');

/** Undefined for what is not one of ours. */
export function decodeCursor(text: string): ExportCursor | undefined {
  try {
    const { e: epoch, p: positions } = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as { readonly e?: unknown; readonly p?: unknown };
    if (typeof epoch !== 'string' || typeof positions !== 'object' || positions === null || Array.isArray(positions)) return undefined;
    return Object.entries(positions).every(isEntry) ? { epoch, positions: positions as LogCursor } : undefined;
  } catch {
    return undefined;
  }
}

function isEntry([partition, position]: [string, unknown]): boolean {
  const number = Number(partition);
  return Number.isInteger(number) && number >= 0 && number < partitionCount && typeof position === 'string' && isPosition(position);
}

/** As all stores write them. */
const isPosition = (text: string): boolean => /^(?:[0-9a-f]{16})?$/.test(text);
