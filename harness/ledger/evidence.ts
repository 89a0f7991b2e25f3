/** What whoever runs the service needs to look for an event: its names and times, and the bytes of both answers around it. */
import { messageOf } from '#harness/message-of.ts';
import type { ArrivalTimes } from './arrival-times.ts';
import { type ReadExportInput, readExport } from './read-back.ts';
import type { Answer, Heard } from './second-witness.ts';

export type Evidence = {
  readonly kind: Heard['kind'];
  readonly eventId: string;
  readonly deviceId: string;
  readonly answer: Answer;
  readonly times: ArrivalTimes;
  /** Lines of the export, read once more: its own, of a copy as well, and of its neighbours. */
  readonly exportLines: readonly string[];
  /** Set where the export could not be read again. */
  readonly exportTrouble?: string;
  readonly historyExcerpt: string;
};

type Gathering = Omit<ReadExportInput, 'onLine'> & { readonly heard: readonly Heard[]; readonly timesOf: (one: Heard) => ArrivalTimes };

/** Of the first that were asked for. Never rejects. */
export async function gatherEvidence({ heard, timesOf, ...exporting }: Gathering): Promise<readonly Evidence[]> {
  const told = heard.filter(({ excerpt }) => excerpt !== undefined);
  if (told.length === 0) return [];
  const wanted = new Map<string, string[]>(told.flatMap(({ eventId, neighbours }) => [eventId, ...neighbours].map((id) => [id, []])));
  let exportTrouble: string | undefined;
  try {
    await readExport({ ...exporting, onLine: (id, line) => wanted.get(id)?.push(line) });
  } catch (error) {
    exportTrouble = messageOf(error);
  }
  return told.map((one) => ({
    kind: one.kind,
    eventId: one.eventId,
    deviceId: one.owner.deviceId,
    answer: one.answer,
    times: timesOf(one),
    exportLines: [one.eventId, ...one.neighbours].flatMap((id) => wanted.get(id) ?? []),
    ...(exportTrouble === undefined ? {} : { exportTrouble }),
    historyExcerpt: one.excerpt ?? '',
  }));
}
