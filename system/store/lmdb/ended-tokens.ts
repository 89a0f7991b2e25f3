/** Whose tokens were ended of late, in order of time: whoever serves must know them before the tokens end by themselves. */
import { type EndedTokens, endedTokensKeptMs, type Store } from '#system/store/store.ts';
import { type Tables, writeRow } from './tables.ts';

/** Forgotten with each that is noted: more than one, so that what is old goes. */
const forgottenMax = 8;

const keyOf = ({ account, device, atMs }: EndedTokens): string => `${timeKey(atMs)}/${account}\0${device}`;
const timeKey = (ms: number): string => `deleted/${String(Math.max(0, ms)).padStart(16, '0')}`;

/** Within the transaction that ends them. */
export function noteEndedTokens(tables: Tables, ended: EndedTokens): void {
  const old = tables.rows.getKeys({ start: Buffer.from(timeKey(0)), end: Buffer.from(timeKey(ended.atMs - endedTokensKeptMs)), limit: forgottenMax });
  for (const key of [...old]) tables.rows.removeSync(key);
  writeRow(tables.rows, keyOf(ended), ended);
}

export function readEndedTokens(tables: Tables, { fromMs, limit }: Parameters<Store['readEndedTokens']>[0]): readonly EndedTokens[] {
  const range = tables.rows.getRange({ start: Buffer.from(timeKey(fromMs)), end: Buffer.from('deleted0'), limit });
  return [...range].map(({ value }) => JSON.parse(value.toString()) as EndedTokens);
}
