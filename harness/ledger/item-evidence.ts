/** What whoever runs the service needs to look for a change: its names and times, and the bytes of both witnesses' answers around it. */
import { eventIdOf } from '#harness/target/event-ids.ts';
import { userNameOf } from '#harness/target/item-laws.ts';
import { onceKeyOf } from '#harness/target/stream-contract.ts';
import type { ArrivalTimes } from './arrival-times.ts';
import { excerptOf } from './excerpt.ts';
import type { HeardItem, HeardReader, ItemsHeard } from './item-witness.ts';
import { type Answer, evidenceMax } from './second-witness.ts';

type Witnesses = {
  readonly answer: Answer;
  /** Users in whose logs it was looked for. */
  readonly users: readonly string[];
  /** Of each user's log as its collections list it, read once more: what stands around the change, 3,000 characters. */
  readonly logExcerpts: readonly string[];
  /** The same of the log as a listener gets it. */
  readonly streamExcerpts: readonly string[];
};

export type ChangeEvidence = Witnesses & {
  readonly kind: HeardItem['kind'];
  readonly promised: HeardItem['promised'];
  /** In the written item, and in what was shared of it. */
  readonly eventId: string;
  readonly times: ArrivalTimes;
};

/** A listener that lost a change or had one twice: which one, its counts and sums do not say. */
export type ReaderEvidence = Witnesses & Pick<HeardReader, 'reader' | 'index' | 'lost' | 'duplicated'> & { readonly kind: 'reader' };

export type ItemEvidence = ChangeEvidence | ReaderEvidence;

export type ItemEvidenceInput = {
  readonly run: string;
  readonly devices: number;
  readonly heard: ItemsHeard;
  /** The pages of the users' logs, as bytes. */
  readonly pages: ReadonlyMap<number, readonly string[]>;
  readonly timesOf: (arrival: number) => ArrivalTimes;
};

/** Of the first 100 that were asked for. Pure. */
export function itemEvidenceOf(input: ItemEvidenceInput): readonly ItemEvidence[] {
  const { items, readers } = input.heard;
  const changes = items.slice(0, evidenceMax).map((one) => changeEvidence(input, one));
  return [...changes, ...readers.slice(0, evidenceMax - changes.length).map((one) => readerEvidence(input, one))];
}

function changeEvidence(input: ItemEvidenceInput, { kind, promised, arrival, users, answer }: HeardItem): ChangeEvidence {
  const { run, devices, timesOf } = input;
  const around = [arrival, arrival - devices, arrival + devices].filter((one) => one >= 0);
  const names = around.flatMap((one) => (promised === 'second' ? [onceKeyOf(one), eventIdOf(run, one, 0)] : [eventIdOf(run, one, 0)]));
  return { kind, promised, eventId: eventIdOf(run, arrival, 0), times: timesOf(arrival), answer, ...witnessesOf(input, users, names) };
}

function readerEvidence(input: ItemEvidenceInput, { reader, index, user, lost, duplicated, answer }: HeardReader): ReaderEvidence {
  return { kind: 'reader', reader, index, lost, duplicated, answer, ...witnessesOf(input, [user], []) };
}

function witnessesOf({ run, heard, pages }: ItemEvidenceInput, users: readonly number[], names: readonly string[]): Omit<Witnesses, 'answer'> {
  const streamedOf = (user: number): readonly string[] => {
    const log = heard.streamed.get(user);
    return log !== undefined && 'pages' in log ? log.pages : [];
  };
  return {
    users: users.map((user) => userNameOf(run, user)),
    logExcerpts: users.map((user) => excerptOf(pages.get(user) ?? [], names)),
    streamExcerpts: users.map((user) => excerptOf(streamedOf(user), names)),
  };
}
