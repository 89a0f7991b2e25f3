/** Which shape the data have. A version that does not know it must not read it: what is misread in silence is lost in silence. */
import { StoreUnavailable } from '#system/store/store.ts';
import { readRow, type Tables, writeRow } from './tables.ts';

/** 1: without a number, and lasting things by the wall clock. 2: the store's time (`ages.ts`). Each has a fixture in `formats`. */
export const dataFormat = 2;
const formatKey = 'format';

export function refuseOtherFormats(tables: Tables): void {
  const format = readRow<number>(tables.rows, formatKey) ?? dataFormat;
  if (Number.isInteger(format) && format >= 1 && format <= dataFormat) return;
  throw new StoreUnavailable(
    'corrupt',
    `The data are of format ${format}, and this version reads formats up to ${dataFormat}: start the version that wrote them, or a younger one. Nothing was changed.`,
  );
}

/** Of today's format: nothing has to be written before they are read. */
export const isSettled = (tables: Tables): boolean => readRow<number>(tables.rows, formatKey) === dataFormat;

/**
 * Inside a write transaction. Returns a sentence where data of an older format were brought up to date. Format 1 needs no other change: times
 * of the wall clock go on as times of the store, which begins with them.
 */
export function settleFormat(tables: Tables): string | undefined {
  const format = readRow<number>(tables.rows, formatKey);
  if (format === dataFormat) return undefined;
  writeRow(tables.rows, formatKey, dataFormat);
  // New data have no head yet.
  if (format === undefined && readRow(tables.rows, 'head') === undefined) return undefined;
  return `The data were of format ${format ?? 1} and are of format ${dataFormat} now: versions that know only the older one refuse them, or misread them where they look at no number.`;
}
