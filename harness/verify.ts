/** After the load: everything is read back, and compared with what was acknowledged and seen. */
import { arrivalState, deviceOfArrival } from '#harness/engine/engine.ts';
import type { ProbeOutcome } from '#harness/engine/probe/probe-book.ts';
import { channelsDefault, channelsOf } from '#harness/engine/streams/plan.ts';
import { createLookup, isAsLoud, keptAs, statesOfKind } from '#harness/ledger/arrival-kinds.ts';
import { type ArrivalTimes, arrivalTimesOf } from '#harness/ledger/arrival-times.ts';
import { Audit, type AuditInput } from '#harness/ledger/audit.ts';
import { conservationError } from '#harness/ledger/conservation.ts';
import type { Evidence } from '#harness/ledger/evidence.ts';
import type { HistoryOwner } from '#harness/ledger/histories.ts';
import type { ItemEvidence } from '#harness/ledger/item-evidence.ts';
import { type PlanBook, readEvents, type WitnessTimes } from '#harness/ledger/read-events.ts';
import type { WebhookEvidence } from '#harness/ledger/webhook-evidence.ts';
import { firstArrivals, placeOfArrival } from '#harness/pacing/arrivals.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import type { ItemLedgerRecord, LedgerRecord, WebhookLedgerRecord } from '#harness/run-result.ts';
import { chainsOf, type Scenario } from '#harness/scenario.ts';
import { eventIdOf, parseEventId, probeNameOf } from '#harness/target/event-ids.ts';
import { deviceNameOf } from '#harness/target/item-laws.ts';
import { operations } from '#harness/target/operations.ts';
import type { Driven, Listening } from './driving.ts';
import { shareOut } from './fleet-accounts.ts';
import { type AccountCredentials, secretAuthorization } from './topology/provision.ts';
import type { Target } from './topology/target.ts';
import { type ItemsVerified, verifyItems } from './verify-items.ts';
import { type VerifyWebhooksInput, verifyWebhooks, type WebhooksVerified } from './verify-webhooks.ts';

const exportBudgetMs = 120_000;
/** What a service acknowledged it shows within milliseconds; one that is behind is given seconds before it is accused. */
const witnessTimes: WitnessTimes = { pauseMs: 3000, budgetMs: 60_000 };

export type Verifying = {
  readonly driven: Pick<Driven, 'probe' | 'streams'> & {
    readonly outcome: Pick<Driven['outcome'], 'states' | 'times'>;
    /** Missing where nobody of this machine drove them. */
    readonly originWallMs?: number;
    readonly watched: Pick<Driven['watched'], 'scrapes'>;
    /** Missing where nobody of this machine drove them. */
    readonly phases?: Driven['phases'];
  };
  readonly witness?: WitnessTimes;
  readonly target: Target;
  readonly run: string;
  readonly scenario: Scenario;
  readonly seed: number;
  readonly phases: readonly ArrivalPhase[];
  readonly listening: Listening | undefined;
  /** Only of a run that has receivers of webhooks. */
  readonly told?: Pick<VerifyWebhooksInput, 'webhooks' | 'view' | 'signal'> | undefined;
};

export type Verified = {
  /** undefined: nobody could be asked. */
  readonly ledger: LedgerRecord | undefined;
  /** Of the first events that the export accused the service of. */
  readonly evidence: readonly Evidence[];
  /** Of the first changes that were missed in a log, or by a reader. */
  readonly changes: readonly ItemEvidence[];
  /** Of the first webhooks that were missed, came under two ids, or to the wrong account. */
  readonly webhookEvents: readonly WebhookEvidence[];
  readonly items: ItemLedgerRecord | undefined;
  readonly webhooks: WebhookLedgerRecord | undefined;
};

export async function verify(verifying: Verifying): Promise<Verified> {
  const { driven, scenario, seed, phases } = verifying;
  const plan = { seed, phases, chains: chainsOf(scenario.chains), operations };
  const kindOf = createLookup(plan, keptAs);
  const { states } = driven.outcome;
  const told = await verifyTold(verifying, statesOfKind(states, kindOf, 'device'));
  const events = await verifyEvents(verifying, { states: statesOfKind(states, kindOf, 'events'), isLoud: createLookup(plan, isAsLoud) });
  const listened = await verifyListening(verifying, statesOfKind(states, kindOf, 'item'));
  return { ...events, items: listened?.items, changes: listened?.evidence ?? [], webhooks: told?.ledger, webhookEvents: told?.evidence ?? [] };
}

async function verifyTold(verifying: Verifying, states: Uint8Array): Promise<WebhooksVerified | undefined> {
  const { told, target, run, scenario, phases, witness = witnessTimes } = verifying;
  if (told === undefined) return undefined;
  const { devices } = scenario.fleet;
  return verifyWebhooks({
    ...told,
    url: target.url,
    pauseMs: witness.pauseMs,
    timesOf: runTimes(verifying),
    audit: { run, states, firstArrivals: firstArrivals(phases), devices, accounts: shareOut(target.accounts, scenario.fleet).quiet.length },
  });
}

type OwnEvents = { readonly states: Uint8Array; readonly isLoud: (arrival: number) => boolean };

async function verifyEvents(verifying: Verifying, own: OwnEvents): Promise<Pick<Verified, 'ledger' | 'evidence'>> {
  const { driven, target, witness = witnessTimes } = verifying;
  const accounts = [...new Set([...target.accounts, target.probeAccount])].map((account) => ({ authorization: secretAuthorization(account) }));
  const { ledger, evidence } = await readEvents({
    url: target.url,
    accounts,
    run: runBook(verifying, own),
    probe: driven.probe === undefined ? undefined : probeBook(verifying, driven.probe),
    budgetMs: exportBudgetMs,
    witness,
  });
  const conserved = conservationError(driven.watched.scrapes.findLast(({ ok }) => ok)?.values);
  return { ledger: { ...ledger, conservationError: conserved }, evidence };
}

function runBook(verifying: Verifying, { states, isLoud }: OwnEvents): PlanBook {
  const { target, run, scenario } = verifying;
  const { fleet } = scenario;
  const { quiet, loud } = shareOut(target.accounts, fleet);
  const ownerOf = (arrival: number): HistoryOwner => {
    const device = deviceOfArrival(arrival, fleet.devices);
    if (loud !== undefined && isLoud(arrival)) return ownerIn(loud, run, device % (fleet.loud?.devices ?? 1));
    return ownerIn(quiet[device % quiet.length] as AccountCredentials, run, device);
  };
  const plan = { run, states, devices: fleet.devices, eventsPerBatch: fleet.eventsPerBatch ?? 1, isOrdered: (arrival: number) => !isLoud(arrival) };
  return { ...bookOf(plan), ownerOf, timesOf: runTimes(verifying) };
}

/** Of the run's arrivals, by their numbers. */
function runTimes({ driven, phases, seed }: Verifying): (arrival: number) => ArrivalTimes {
  const plannedMsOf = (arrival: number): number | undefined => {
    const { phase, offsetMs } = placeOfArrival(phases, seed, arrival);
    const startSeconds = driven.phases?.[phase]?.startSeconds;
    return startSeconds === undefined ? undefined : startSeconds * 1000 + offsetMs;
  };
  const { originWallMs, outcome } = driven;
  return (arrival) => arrivalTimesOf({ plannedMs: plannedMsOf(arrival), kept: outcome.times?.of(arrival), originWallMs });
}

function probeBook({ target, run, scenario, driven }: Verifying, { states, plannedMs, timeOf }: ProbeOutcome): PlanBook {
  const name = probeNameOf(run);
  const plan = { run: name, states, devices: 1, eventsPerBatch: scenario.fleet.eventsPerBatch ?? 1, isOrdered: () => true };
  const timesOf = (arrival: number): ArrivalTimes =>
    arrivalTimesOf({ plannedMs: plannedMs[arrival], kept: timeOf(arrival), originWallMs: driven.originWallMs });
  return { ...bookOf(plan), ownerOf: () => ownerIn(target.probeAccount, name, 0), timesOf };
}

const ownerIn = (account: AccountCredentials, run: string, device: number): HistoryOwner => ({
  deviceId: deviceNameOf(run, device),
  authorization: secretAuthorization(account),
});

type BookPlan = Pick<AuditInput, 'states' | 'devices' | 'eventsPerBatch' | 'isOrdered'> & { readonly run: string };

function bookOf({ run, ...plan }: BookPlan): Omit<PlanBook, 'ownerOf' | 'timesOf'> {
  const input: AuditInput = {
    ...plan,
    parseEventId: (id) => parseEventId(run, id),
    eventIdOf: (arrival, index) => eventIdOf(run, arrival, index),
  };
  return {
    first: new Audit(input),
    again: () => new Audit(input),
    isOwn: (id) => parseEventId(run, id) !== undefined,
    neighboursOf: (arrival) => [arrival - plan.devices, arrival + plan.devices].flatMap((one) => (one < 0 ? [] : [eventIdOf(run, one, 0)])),
  };
}

async function verifyListening(verifying: Verifying, states: Uint8Array): Promise<ItemsVerified | undefined> {
  const { driven, target, run, scenario, listening, witness = witnessTimes } = verifying;
  const { streams } = driven;
  if (listening === undefined || streams === undefined) return undefined;
  return verifyItems({
    url: target.url,
    authorizations: listening.users,
    channels: [...new Set([...channelsDefault, ...(scenario.streams?.readers ?? []).flatMap(channelsOf)])],
    audit: { run, states, population: listening.items, isItem: (arrival) => states[arrival] !== arrivalState.notPlanned },
    compare: streams.compare,
    cells: streams.cells,
    witness,
    timesOf: runTimes(verifying),
  });
}
