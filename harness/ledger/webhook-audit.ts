/**
 * Webhooks: did every registration that was acknowledged reach each endpoint of its account, as one event? And where an endpoint did not take it, does the service still account
 * for it? Pure.
 */
import { arrivalState } from '#harness/engine/engine.ts';
import { addNumbers } from '#harness/metrics/fold.ts';
import type { WebhookLedgerRecord, WebhookReceiverLedger } from '#harness/run-result.ts';
import { launchedDeviceOf, launchOfDevice } from '#harness/target/storm-operations.ts';

const stateMask = 0x0f;
const examplesOfAKindMax = 10;

export type WebhookAuditInput = {
  readonly run: string;
  /** Of arrivals that register a device; of all others as if they had not been planned. */
  readonly states: Uint8Array;
  /** First arrival of each phase, and one more than the last. */
  readonly firstArrivals: readonly number[];
  readonly devices: number;
  readonly accounts: number;
};

export type AuditedEndpoint = {
  readonly receiver: string;
  /** Index. */
  readonly account: number;
  /** It has everything in the end, or has lost it. */
  readonly takesAll: boolean;
  /** What came to it: one entry an id, lists of one length. */
  readonly arrivals: { readonly ids: readonly string[]; readonly devices: readonly string[]; readonly accepted: readonly number[] };
  /** What the service says of it, read before the arrivals were. */
  readonly listed: readonly { readonly eventId: string; readonly state: string }[];
  readonly dropped: number;
  /** Whoever said 410 is told nothing more, so nothing more is due. */
  readonly isDisabled: boolean;
};

/** One accusation; what came has an id, what never came only the device that it should have told of. */
export type WebhookSuspect = {
  readonly kind: WebhookLedgerRecord['examples'][number]['kind'];
  readonly receiver: string;
  readonly account: number;
  readonly deviceId?: string;
  readonly eventId?: string;
  readonly text: string;
};

/** `suspects`: at most 100 of a kind. */
export type WebhookAudited = Pick<WebhookLedgerRecord, 'receivers' | 'examples'> & { readonly suspects: readonly WebhookSuspect[] };
const suspectsOfAKindMax = 100;

/** Device `i` is of account `i mod accounts`, and so is what it launches. */
const accountOf = (arrival: number, { devices, accounts }: Pick<WebhookAuditInput, 'devices' | 'accounts'>): number => (arrival % devices) % accounts;

/** Acknowledged registrations of an account that are not among these arrivals: what an endpoint of it still has to be told. */
export function missingAt(
  input: WebhookAuditInput,
  { account, arrivals, takesAll }: Pick<AuditedEndpoint, 'account' | 'arrivals' | 'takesAll'>,
): readonly number[] {
  const there = new Set(
    arrivals.devices.flatMap((device, i) => (!takesAll || (arrivals.accepted[i] ?? 0) > 0 ? (launchOfDevice(input.run, device) ?? []) : [])),
  );
  const missing: number[] = [];
  for (let arrival = 0; arrival < input.states.length; arrival++)
    if (isAcknowledged(input, arrival) && accountOf(arrival, input) === account && !there.has(arrival)) missing.push(arrival);
  return missing;
}

const isAcknowledged = ({ states }: WebhookAuditInput, arrival: number): boolean => (states[arrival]! & stateMask) === arrivalState.acknowledged;

export function auditWebhooks(input: WebhookAuditInput, endpoints: readonly AuditedEndpoint[]): WebhookAudited {
  const suspects: WebhookSuspect[] = [];
  const note: Note = (suspect) => {
    if (ofKind(suspects, suspect.kind).length < suspectsOfAKindMax) suspects.push(suspect);
  };
  const receivers = [...Map.groupBy(endpoints, ({ receiver }) => receiver)].map(([receiver, group]) => {
    const ledgers = group.map((endpoint) => auditEndpoint(input, endpoint, note));
    return ledgers.reduce(addLedgers, { ...nothing(input), receiver });
  });
  const kinds = [...new Set(suspects.map(({ kind }) => kind))];
  const examples = kinds.flatMap((each) =>
    ofKind(suspects, each)
      .slice(0, examplesOfAKindMax)
      .map(({ kind, text }) => ({ kind, text })),
  );
  return { receivers, examples, suspects };
}

const ofKind = (suspects: readonly WebhookSuspect[], kind: WebhookSuspect['kind']): readonly WebhookSuspect[] => suspects.filter((one) => one.kind === kind);

type Note = (suspect: WebhookSuspect) => void;

const nothing = ({ firstArrivals }: WebhookAuditInput): WebhookReceiverLedger => ({
  receiver: '',
  endpoints: 0,
  expected: 0,
  arrived: 0,
  missingByPhase: firstArrivals.slice(1).map(() => 0),
  lost: 0,
  duplicated: 0,
  leaked: 0,
  unfounded: 0,
  delivered: 0,
  waiting: 0,
  dead: 0,
  dropped: 0,
  disabled: 0,
});

function addLedgers(
  { receiver, missingByPhase, ...counts }: WebhookReceiverLedger,
  { receiver: _, missingByPhase: more, ...others }: WebhookReceiverLedger,
): WebhookReceiverLedger {
  return { receiver, missingByPhase: missingByPhase.map((count, phase) => count + (more[phase] ?? 0)), ...addNumbers(counts, others) };
}

function auditEndpoint(input: WebhookAuditInput, endpoint: AuditedEndpoint, note: Note): WebhookReceiverLedger {
  const { receiver, account, listed, dropped, isDisabled } = endpoint;
  const missing = missingAt(input, endpoint);
  const came = auditArrivals(input, endpoint, note);
  const stateCount = (...states: readonly string[]): number => listed.filter(({ state }) => states.includes(state)).length;
  const firstOf = (phase: number): number => input.firstArrivals[phase] ?? 0;
  const missingByPhase = input.firstArrivals.slice(1).map((_, phase) => missing.filter((one) => one >= firstOf(phase) && one < firstOf(phase + 1)).length);
  let acknowledged = 0;
  for (let arrival = 0; arrival < input.states.length; arrival++) if (isAcknowledged(input, arrival) && accountOf(arrival, input) === account) acknowledged++;
  return {
    receiver,
    endpoints: 1,
    expected: isDisabled ? acknowledged - missing.length : acknowledged,
    arrived: acknowledged - missing.length,
    missingByPhase: isDisabled ? missingByPhase.map(() => 0) : missingByPhase,
    ...came,
    lost: lostAt(input.run, { endpoint, missing, note }),
    delivered: stateCount('delivered'),
    waiting: stateCount('waiting', 'sending'),
    dead: stateCount('dead'),
    dropped,
    disabled: isDisabled ? 1 : 0,
  };
}

type Losing = { readonly endpoint: AuditedEndpoint; readonly missing: readonly number[]; readonly note: Note };

function lostAt(run: string, { endpoint, missing, note }: Losing): number {
  const { receiver, account, takesAll, isDisabled, arrivals, listed, dropped } = endpoint;
  const of = { kind: 'lost', receiver, account } as const;
  const accepted = new Map(arrivals.ids.map((id, i) => [id, arrivals.accepted[i] ?? 0]));
  const untrue = listed.filter(({ eventId, state }) => state === 'delivered' && (accepted.get(eventId) ?? 0) === 0);
  for (const { eventId } of untrue) note({ ...of, eventId, text: `${eventId} is delivered as the service says, and ${receiver} never accepted it` });
  if (takesAll) {
    for (const arrival of missing)
      note({ ...of, deviceId: launchedDeviceOf(run, arrival), text: `${receiver} never accepted the event of arrival ${arrival}` });
    // What the service calls delivered is missing here too: it is counted once.
    return Math.max(missing.length, untrue.length);
  }
  // What never came has no device that we would know: the service still has so many, whichever they are.
  const held = listed.filter(({ eventId, state }) => !accepted.has(eventId) && state !== 'delivered').length + dropped;
  const silent = isDisabled ? 0 : Math.max(0, missing.length - held - untrue.filter(({ eventId }) => !accepted.has(eventId)).length);
  if (silent > 0) note({ ...of, text: `${silent} events came neither to ${receiver} nor does the service account for them` });
  return silent + untrue.length;
}

function auditArrivals(
  input: WebhookAuditInput,
  { receiver, account, arrivals }: AuditedEndpoint,
  note: Note,
): Pick<WebhookReceiverLedger, 'duplicated' | 'leaked' | 'unfounded'> {
  const counts = { duplicated: 0, leaked: 0, unfounded: 0 };
  const told = new Set<number>();
  for (const [i, device] of arrivals.devices.entries()) {
    const arrival = launchOfDevice(input.run, device);
    const state = arrival === undefined || arrival >= input.states.length ? arrivalState.notPlanned : input.states[arrival]! & stateMask;
    const kind =
      arrival === undefined || (state !== arrivalState.acknowledged && state !== arrivalState.unknown && state !== arrivalState.inFlight)
        ? 'unfounded'
        : accountOf(arrival, input) !== account
          ? 'leaked'
          : told.has(arrival)
            ? 'duplicated'
            : undefined;
    if (arrival !== undefined) told.add(arrival);
    if (kind === undefined) continue;
    counts[kind]++;
    const eventId = arrivals.ids[i] as string;
    note({ kind, receiver, account, deviceId: device, eventId, text: `${receiver} was told of ${device} as ${eventId}` });
  }
  return counts;
}
