/**
 * An accusation needs two witnesses. What the export says is lost, there twice or out of order is asked for once more, after a pause and by another route: the device's
 * history. Only what both say is told; what the second one takes back is a finding about the export; and what it could not be asked for is not confirmed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Audit, Suspect } from './audit.ts';
import { excerptOf } from './excerpt.ts';
import { type HistoryOwner, type HistoryRead, readHistories } from './histories.ts';

/** Events of one plan: the run's, or the probe's. */
export type Book = {
  readonly first: Audit;
  /** An empty one over the same plan. */
  readonly again: () => Audit;
  readonly ownerOf: (arrival: number) => HistoryOwner;
  /** Ids of the events that its device sent before and after this one. */
  readonly neighboursOf: (arrival: number) => readonly string[];
};

export type WitnessInput = {
  readonly url: string;
  readonly books: readonly Book[];
  readonly pauseMs: number;
  readonly budgetMs: number;
};

/** `why`: it could not be asked for. */
export type Answer = { readonly kind: 'confirmed' | 'taken-back' } | { readonly kind: 'unasked'; readonly why: string };

export type Heard = Suspect & {
  readonly owner: HistoryOwner;
  readonly neighbours: readonly string[];
  readonly answer: Answer;
  /** The history's own bytes around the event, or around where it should be; of the first few only. */
  readonly excerpt?: string;
};

/** So many are written down with the bytes of the answers. */
export const evidenceMax = 100;

type Owner = HistoryOwner & Pick<Book, 'neighboursOf'> & { readonly audit: Audit; readonly suspects: readonly Suspect[] };

/** Never rejects. Call once every book's first audit is finished. */
export async function hearSecondWitness({ url, books, pauseMs, budgetMs }: WitnessInput): Promise<readonly Heard[]> {
  const owners = books.flatMap(ownersOf);
  if (owners.length === 0) return [];
  await sleep(pauseMs);
  const heard: Heard[] = [];
  const onRead = (owner: Owner, read: HistoryRead): void => {
    for (const one of hearOwner(owner, read, evidenceMax - heard.length)) heard.push(one);
  };
  await readHistories({ url, owners, budgetMs, onRead });
  return heard;
}

/** Each device with what is to be asked of it. */
function ownersOf({ first, again, ownerOf, neighboursOf }: Book): readonly Owner[] {
  const audit = again();
  const byDevice = Map.groupBy(first.suspects(), ({ arrival }) => ownerOf(arrival).deviceId);
  return [...byDevice.values()].map((suspects) => ({ ...ownerOf((suspects[0] as Suspect).arrival), neighboursOf, audit, suspects }));
}

function hearOwner({ audit, suspects, deviceId, authorization, neighboursOf }: Owner, read: HistoryRead, excerpts: number): readonly Heard[] {
  const owner = { deviceId, authorization };
  const told = suspects.map((one) => ({ ...one, owner, neighbours: neighboursOf(one.arrival) }));
  if ('trouble' in read) return told.map((one) => ({ ...one, answer: { kind: 'unasked', why: read.trouble } }));
  for (const { id } of read.lines) audit.see(id);
  return told.map((one, i) => ({
    ...one,
    answer: { kind: isConfirmed(one, audit) ? 'confirmed' : 'taken-back' },
    ...(i < excerpts ? { excerpt: excerptOf(read.pages, [one.eventId, ...one.neighbours]) } : {}),
  }));
}

const isConfirmed = ({ kind, eventId }: Suspect, audit: Audit): boolean => (kind === 'lost' ? !audit.has(eventId) : audit.isSuspect(kind, eventId));
