/** Which shape the data have. A version that does not know it must not read it: what is misread in silence is lost in silence. */
import { StoreUnavailable } from '#system/store/store.ts';
import { readRow, type Tables, writeRow } from './tables.ts';

/** 1: without a number, and lasting things by the wall clock. 2: the store's time (`ages.ts`). */
export const dataFormat = 2;
const formatKey = 'format';

export function refuseOtherFormats(tables: Tables): void {
  const format = readRow<number>(tables.rows, formatKey) ?? dataFormat;
  if (format <= dataFormat) return;
  throw new StoreUnavailable(
    'corrupt',
    `The data are of format ${format}, and this version reads formats up to ${dataFormat}: start the version that wrote them, or a younger one. Nothing was changed.`,
  );
}

/** Inside a write transaction. Format 1 needs no other change: times of the wall clock go on as times of the store, which begins with them. */
export function settleFormat(tables: Tables): void {
  if (readRow<number>(tables.rows, formatKey) !== dataFormat) writeRow(tables.rows, formatKey, dataFormat);
}
