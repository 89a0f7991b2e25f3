/** The service is asked twice of its webhooks before it is accused, with a pause between: only what both answers leave open is. Pure. */
import type { AuditedEndpoint } from './webhook-audit.ts';

type Listed = AuditedEndpoint['listed'];

/** What came is of the second reading: it has grown at most. Of what the service says, what speaks for it. */
export function bothSayings(first: AuditedEndpoint, second: AuditedEndpoint): AuditedEndpoint {
  return {
    ...second,
    listed: mergeListed(first.listed, second),
    dropped: Math.max(first.dropped, second.dropped),
    isDisabled: first.isDisabled || second.isDisabled,
  };
}

/** An id that either answer has is there. One that nobody accepted is called delivered where both say so. */
function mergeListed(first: Listed, { listed, arrivals }: AuditedEndpoint): Listed {
  const isAccepted = new Set(arrivals.ids.filter((_, i) => (arrivals.accepted[i] ?? 0) > 0));
  const before = new Map(first.map((one) => [one.eventId, one]));
  const after = new Map(listed.map((one) => [one.eventId, one]));
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((eventId) => {
    const [early, late] = [before.get(eventId), after.get(eventId)];
    const isDoubted = late?.state === 'delivered' && !isAccepted.has(eventId);
    return (isDoubted ? early : undefined) ?? late ?? early ?? [];
  });
}
