/** The event ledger: read through the export, and what that says against the service through the devices' histories. */
import { messageOf } from '#harness/message-of.ts';
import type { EventSuspicions, LedgerRecord, Suspicion } from '#harness/run-result.ts';
import type { ArrivalTimes } from './arrival-times.ts';
import type { AuditCounts } from './audit.ts';
import { type Evidence, gatherEvidence } from './evidence.ts';
import { readExport } from './read-back.ts';
import { type Book, type Heard, hearSecondWitness } from './second-witness.ts';

export type WitnessTimes = {
  /** Between the export and the question: what a service has not shown yet may be on its way. */
  readonly pauseMs: number;
  readonly budgetMs: number;
};

export type PlanBook = Book & { readonly isOwn: (eventId: string) => boolean; readonly timesOf: (arrival: number) => ArrivalTimes };

export type ReadEventsInput = {
  readonly url: string;
  readonly accounts: readonly { readonly authorization: string }[];
  readonly run: PlanBook;
  /** What the probe sent is judged as strictly; its events are not counted as the plan's. */
  readonly probe: PlanBook | undefined;
  readonly budgetMs: number;
  readonly witness: WitnessTimes;
};

export type EventsRead = {
  readonly ledger: Omit<LedgerRecord, 'conservationError'>;
  readonly evidence: readonly Evidence[];
};

/** Never rejects: what could not be read makes the ledger incomplete, with the reason, and then nobody is accused. */
export async function readEvents(input: ReadEventsInput): Promise<EventsRead> {
  const { run, probe, url, accounts, budgetMs, witness } = input;
  const startedMs = performance.now();
  const incomplete = await readFirst(input);
  const counts = run.first.finish();
  const probed = probe?.first.finish();
  const books = probe === undefined ? [run] : [run, probe];
  const heard = incomplete === undefined ? await hearSecondWitness({ url, books, ...witness }) : [];
  const timesOf = ({ eventId, arrival }: Heard) => (probe?.isOwn(eventId) === true ? probe : run).timesOf(arrival);
  const evidence = await gatherEvidence({ url, accounts, budgetMs, heard, timesOf });
  const ledger = {
    ...counts,
    // Of an export that was not read to its end nobody knows what is missing: it accuses nobody.
    ...verdictOf(heard, incomplete === undefined ? addSuspicions(counts, probed) : nothing),
    examples: examplesOf(counts, heard),
    readSeconds: (performance.now() - startedMs) / 1000,
    ...(incomplete === undefined ? {} : { incomplete }),
  };
  return { ledger, evidence };
}

async function readFirst({ url, accounts, budgetMs, run, probe }: ReadEventsInput): Promise<string | undefined> {
  const onLine = (id: string): void => (probe?.isOwn(id) === true ? probe : run).first.see(id);
  try {
    await readExport({ url, accounts, budgetMs, onLine });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

const nothing: EventSuspicions = { lost: 0, duplicated: 0, reordered: 0 };

const addSuspicions = (a: EventSuspicions, b: EventSuspicions = nothing): EventSuspicions => ({
  lost: a.lost + b.lost,
  duplicated: a.duplicated + b.duplicated,
  reordered: a.reordered + b.reordered,
});

/** Told is what both witnesses say. What is more than could be asked for is not confirmed either. */
function verdictOf(heard: readonly Heard[], first: EventSuspicions): Pick<LedgerRecord, Suspicion | 'exportAlone' | 'unconfirmed'> {
  const count = (kind: Suspicion, answer: Heard['answer']['kind']): number => heard.filter((one) => one.kind === kind && one.answer.kind === answer).length;
  const of = (answer: Heard['answer']['kind']): EventSuspicions => ({
    lost: count('lost', answer),
    duplicated: count('duplicated', answer),
    reordered: count('reordered', answer),
  });
  const confirmed = of('confirmed');
  const takenBack = of('taken-back');
  const open = (kind: Suspicion): number => first[kind] - confirmed[kind] - takenBack[kind];
  const unconfirmed = { lost: open('lost'), duplicated: open('duplicated'), reordered: open('reordered') };
  const total = unconfirmed.lost + unconfirmed.duplicated + unconfirmed.reordered;
  const why = heard.flatMap(({ answer }) => (answer.kind === 'unasked' ? [answer.why] : []))[0] ?? 'they are too many to ask for one by one';
  return { ...confirmed, exportAlone: takenBack, ...(total === 0 ? {} : { unconfirmed: { ...unconfirmed, why } }) };
}

const examplesOfAKindMax = 10;

function examplesOf({ examples }: AuditCounts, heard: readonly Heard[]): LedgerRecord['examples'] {
  const others = examples.filter(({ kind }) => kind === 'foreign' || kind === 'refused-found');
  const confirmed = Map.groupBy(
    heard.filter(({ answer }) => answer.kind === 'confirmed'),
    ({ kind }) => kind,
  );
  const told = [...confirmed.values()].flatMap((all) => all.slice(0, examplesOfAKindMax));
  return [...told.map(({ kind, eventId }) => ({ kind, eventId })), ...others];
}
