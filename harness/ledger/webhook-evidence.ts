/** What whoever runs the service needs to look for a webhook's event: its names and times, and the bytes of all answers around it. */
import type { ArrivalTimes } from './arrival-times.ts';
import { excerptOf } from './excerpt.ts';
import { evidenceMax } from './second-witness.ts';
import type { WebhookSuspect } from './webhook-audit.ts';

export type WebhookEvidence = WebhookSuspect & {
  /** Of the registration. */
  readonly times: ArrivalTimes;
  /** Of the list of deliveries, at the first reading and after the pause: 3,000 characters around the event's id, or how it begins. */
  readonly deliveriesExcerpts: readonly string[];
  /** The service's answer about the device, its status first. */
  readonly device?: string;
};

export type WebhookEvidenceInput = {
  readonly suspects: readonly WebhookSuspect[];
  /** Pages of the deliveries of its endpoint, by reading. */
  readonly pagesOf: (suspect: WebhookSuspect) => readonly (readonly string[])[];
  readonly timesOf: (suspect: WebhookSuspect) => ArrivalTimes;
  readonly deviceOf: (suspect: WebhookSuspect) => Promise<string | undefined>;
};

/** Of the first 100. */
export async function webhookEvidenceOf({ suspects, pagesOf, timesOf, deviceOf }: WebhookEvidenceInput): Promise<readonly WebhookEvidence[]> {
  const all: WebhookEvidence[] = [];
  for (const suspect of suspects.slice(0, evidenceMax)) {
    const device = await deviceOf(suspect);
    const names = suspect.eventId === undefined ? [] : [suspect.eventId];
    const deliveriesExcerpts = pagesOf(suspect).map((pages) => excerptOf(pages, names));
    all.push({ ...suspect, times: timesOf(suspect), deliveriesExcerpts, ...(device === undefined ? {} : { device }) });
  }
  return all;
}
