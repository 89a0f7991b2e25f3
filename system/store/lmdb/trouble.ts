/** What LMDB and the operating system say, in the store's words. */
import { type StoreTrouble, StoreUnavailable } from '#system/store/store.ts';

const troubleOfCode: Readonly<Record<string, StoreTrouble>> = {
  28: 'full', // ENOSPC
  122: 'full', // EDQUOT
  '-30792': 'full', // MDB_MAP_FULL
  '-30796': 'corrupt',
  '-30797': 'corrupt',
  13: 'unwritable',
  20: 'unwritable',
  30: 'unwritable',
};

/** Errors without a code of the operating system or of LMDB are bugs, not troubles: they stay what they are. */
export function asTrouble(cause: unknown, otherwise: StoreTrouble = 'flush-failed'): unknown {
  if (cause instanceof StoreUnavailable || !(cause instanceof Error)) return cause;
  const code = (cause as { code?: unknown }).code;
  const named = /no space|ENOSPC/i.test(cause.message)
    ? 'full'
    : /ENOTDIR|EROFS|EACCES|not a directory|read-only/i.test(cause.message)
      ? 'unwritable'
      : undefined;
  const trouble = troubleOfCode[String(code)] ?? named ?? (typeof code === 'number' ? otherwise : undefined);
  return trouble === undefined ? cause : new StoreUnavailable(trouble, `${trouble}: ${cause.message}`, { cause });
}
