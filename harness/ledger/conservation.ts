/** Does the service's own book-keeping add up? Pure. */
import { sumOf } from '#harness/metrics/prometheus-text.ts';
import { metricNames } from '#system/protocol/metric-names.ts';

/**
 * |received − accepted − duplicate − rejected| + |accepted − pending − kept − Σ filtered| over a scrape of a quiet service.
 * Undefined where a counter is missing: unknown is not zero. A family without any sample counts as 0 only for `filtered`, which has
 * a sample for each reason that occurred.
 */
export function conservationError(values: Readonly<Record<string, number>> | undefined): number | undefined {
  if (values === undefined) return undefined;
  const names = [
    metricNames.eventsReceived,
    metricNames.eventsAccepted,
    metricNames.eventsDuplicate,
    metricNames.eventsRejected,
    metricNames.eventsPending,
    metricNames.eventsKept,
  ];
  const [received, accepted, duplicate, rejected, pending, kept] = names.map((name) => sumOf(values, name) ?? Number.NaN) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const error = Math.abs(received - accepted - duplicate - rejected) + Math.abs(accepted - pending - kept - (sumOf(values, metricNames.eventsFiltered) ?? 0));
  return Number.isNaN(error) ? undefined : error;
}
