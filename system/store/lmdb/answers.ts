/** Answers to idempotency keys live in two generations, each written for `dedupeHours`: one is known for at least as long, and forgetting is one drop. */
import type { StoreTime } from '#system/store/store-time.ts';
import { type Generation, readRow, type Tables, writeRow } from './tables.ts';

export type AnswersInput = { readonly tables: Tables; readonly time: StoreTime; readonly dedupeHours: number };

const isOver = ({ time, dedupeHours }: AnswersInput, { bornMs }: Generation): boolean => time.nowMs() - bornMs >= dedupeHours * 3_600_000;
const readGeneration = (tables: Tables): Generation | undefined => readRow<Generation>(tables.rows, 'generation');

/** Inside the write transaction: the one that is written now, begun anew where the time of the last is over. */
export function currentGeneration(input: AnswersInput): Generation {
  const { tables, time } = input;
  const present = readGeneration(tables);
  if (present !== undefined && !isOver(input, present)) return present;
  const next: Generation = { young: present?.young === 0 ? 1 : 0, bornMs: time.nowMs() };
  tables.answers[next.young].clearSync();
  writeRow(tables.rows, 'generation', next);
  return next;
}

/** Costs no write. */
export function hasOldAnswers(input: AnswersInput): boolean {
  const present = readGeneration(input.tables);
  return present !== undefined && isOver(input, present) && input.tables.answers.some((table) => [...table.getKeys({ limit: 1 })].length > 0);
}

/** Inside the write transaction. */
export function forgetOldAnswers(input: AnswersInput): void {
  if (hasOldAnswers(input)) currentGeneration(input);
}
