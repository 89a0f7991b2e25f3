/** After the load: everything is read back, and compared with what was acknowledged and seen. */
import { arrivalState } from '#harness/engine/engine.ts';
import { channelsDefault, channelsOf } from '#harness/engine/streams/plan.ts';
import { createLookup, isAsLoud, keptAs, statesOfKind } from '#harness/ledger/arrival-kinds.ts';
import { Audit } from '#harness/ledger/audit.ts';
import { conservationError } from '#harness/ledger/conservation.ts';
import { readBack } from '#harness/ledger/read-back.ts';
import { firstArrivals } from '#harness/pacing/arrivals.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import type { ItemLedgerRecord, LedgerRecord, WebhookLedgerRecord } from '#harness/run-result.ts';
import { chainsOf, type Scenario } from '#harness/scenario.ts';
import { eventIdOf, parseEventId, probeNameOf } from '#harness/target/event-ids.ts';
import { operations } from '#harness/target/operations.ts';
import type { Driven, Listening } from './driving.ts';
import { shareOut } from './fleet-accounts.ts';
import { secretAuthorization } from './topology/provision.ts';
import type { Target } from './topology/target.ts';
import { verifyItems } from './verify-items.ts';
import { type VerifyWebhooksInput, verifyWebhooks } from './verify-webhooks.ts';

const exportBudgetMs = 120_000;

export type Verifying = {
  readonly driven: Pick<Driven, 'probe' | 'streams'> & {
    readonly outcome: Pick<Driven['outcome'], 'states'>;
    readonly watched: Pick<Driven['watched'], 'scrapes'>;
  };
  readonly target: Target;
  readonly run: string;
  readonly scenario: Scenario;
  readonly seed: number;
  readonly phases: readonly ArrivalPhase[];
  readonly listening: Listening | undefined;
  /** Only of a run that has receivers of webhooks. */
  readonly told?: Pick<VerifyWebhooksInput, 'webhooks' | 'view' | 'signal'> | undefined;
};

export type Verified = { readonly ledger: LedgerRecord; readonly items: ItemLedgerRecord | undefined; readonly webhooks: WebhookLedgerRecord | undefined };

export async function verify(verifying: Verifying): Promise<Verified> {
  const { driven, scenario, seed, phases } = verifying;
  const plan = { seed, phases, chains: chainsOf(scenario.chains), operations };
  const kindOf = createLookup(plan, keptAs);
  const { states } = driven.outcome;
  const webhooks = await verifyTold(verifying, statesOfKind(states, kindOf, 'device'));
  const ledger = await verifyEvents(verifying, { states: statesOfKind(states, kindOf, 'events'), isLoud: createLookup(plan, isAsLoud) });
  return { ledger, items: await verifyListening(verifying, statesOfKind(states, kindOf, 'item')), webhooks };
}

async function verifyTold({ told, target, run, scenario, phases }: Verifying, states: Uint8Array): Promise<WebhookLedgerRecord | undefined> {
  if (told === undefined) return undefined;
  const { devices } = scenario.fleet;
  return verifyWebhooks({
    ...told,
    url: target.url,
    audit: { run, states, firstArrivals: firstArrivals(phases), devices, accounts: shareOut(target.accounts, scenario.fleet).quiet.length },
  });
}

type OwnEvents = { readonly states: Uint8Array; readonly isLoud: (arrival: number) => boolean };

async function verifyEvents({ driven, target, run, scenario }: Verifying, own: OwnEvents): Promise<LedgerRecord> {
  const eventsPerBatch = scenario.fleet.eventsPerBatch ?? 1;
  const auditOf = (name: string, states: Uint8Array, devices: number, isOrdered: (arrival: number) => boolean = () => true) =>
    new Audit({
      states,
      devices,
      eventsPerBatch,
      isOrdered,
      parseEventId: (id) => parseEventId(name, id),
      eventIdOf: (arrival, index) => eventIdOf(name, arrival, index),
    });
  const accounts = [...new Set([...target.accounts, target.probeAccount])].map((account) => ({ authorization: secretAuthorization(account) }));
  const { probe } = driven;
  const probeRun = probeNameOf(run);
  const read = await readBack({
    url: target.url,
    accounts,
    audit: auditOf(run, own.states, scenario.fleet.devices, (arrival) => !own.isLoud(arrival)),
    ...(probe === undefined
      ? {}
      : { probe: { audit: auditOf(probeRun, probe.states, 1), isProbes: (id: string) => parseEventId(probeRun, id) !== undefined } }),
    budgetMs: exportBudgetMs,
  });
  return { ...read, conservationError: conservationError(driven.watched.scrapes.findLast(({ ok }) => ok)?.values) };
}

async function verifyListening({ driven, target, run, scenario, listening }: Verifying, states: Uint8Array): Promise<ItemLedgerRecord | undefined> {
  const { streams } = driven;
  if (listening === undefined || streams === undefined) return undefined;
  return verifyItems({
    url: target.url,
    authorizations: listening.users,
    channels: [...new Set([...channelsDefault, ...(scenario.streams?.readers ?? []).flatMap(channelsOf)])],
    audit: { run, states, population: listening.items, isItem: (arrival) => states[arrival] !== arrivalState.notPlanned },
    compare: streams.compare,
    cells: streams.cells,
  });
}
