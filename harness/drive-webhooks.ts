/** Receivers of webhooks beside the load: their process, their endpoints at the service, and what came to them. */
import type { LiveView } from '#harness/live/live.ts';
import { WebhookFold } from '#harness/metrics/fold-webhooks.ts';
import type { WebhookCell, WebhooksRecord, WorkerLag } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import type { EndpointArrivals, ReceiverEndpoint } from '#harness/webhooks/receiver-book.ts';
import { type CountingReceiver, startReceiver } from '#harness/webhooks/start-receiver.ts';
import { shareOut } from './fleet-accounts.ts';
import { endpointsOf, eventsOf, reactionOf, registeredType, takesAll } from './scenario-webhooks.ts';
import type { Target } from './topology/target.ts';
import { dropEndpoints, type MadeEndpoint, makeEndpoints, visit, type WantedEndpoint } from './topology/webhook-endpoints.ts';

export type RunEndpoint = MadeEndpoint & { readonly receiver: string; readonly accountIndex: number; readonly takesAll: boolean; readonly path: string };

export type DrivenWebhooks = {
  readonly pid: number;
  readonly kill: () => void;
  readonly begin: (originNs: bigint) => void;
  readonly phase: (phase: number, startMs: number) => void;
  readonly cellsOfSecond: (second: number) => readonly WebhookCell[];
  readonly cells: () => readonly WebhookCell[];
  /** A receiver that ended by itself, as a sentence. */
  readonly trouble: () => string | undefined;
  /** Messages of it that never came, as a sentence. */
  readonly hole: () => string | undefined;
  readonly endpoints: readonly RunEndpoint[];
  /** In the order of these endpoints: registrations that they were told of. */
  readonly arrivals: (endpoints: readonly RunEndpoint[]) => Promise<readonly EndpointArrivals[]>;
  readonly finish: () => Promise<Omit<WebhooksRecord, 'ledger'>>;
  /** With its endpoints, at a service that stays. */
  readonly stop: () => Promise<void>;
};

export type WebhooksInput = {
  /** With its clock taken out. */
  readonly scenario: Scenario;
  readonly target: Target;
  readonly view: Pick<LiveView, 'progress'>;
  readonly signal: AbortSignal;
  readonly onKill: (kill: () => void) => void;
};

type Planned = Omit<RunEndpoint, 'id' | 'url'> & { readonly served: ReceiverEndpoint };

/** Rejects with a sentence where the receiver does not come up, or an endpoint is not made or not confirmed. */
export async function startWebhooks(input: WebhooksInput): Promise<DrivenWebhooks | undefined> {
  if (input.scenario.webhooks === undefined) return undefined;
  const fold = new WebhookFold();
  const processes: WorkerLag[] = [];
  const receiver = await startReceiver({
    onDelta: (delta) => {
      fold.add(delta);
      processes.push(delta.lag);
    },
    // Where a visit fails, the endpoint is not confirmed in time, and that is said.
    onVisit: (_, url) => void visit(url).catch(() => undefined),
  });
  input.onKill(receiver.kill);
  try {
    const endpoints = await openEndpoints(input, receiver);
    return { ...describe(receiver, fold), endpoints, finish: () => finish(receiver, fold, processes), stop: () => stop(input, receiver, endpoints) };
  } catch (error) {
    receiver.kill();
    throw error;
  }
}

const describe = (receiver: CountingReceiver, fold: WebhookFold): Omit<DrivenWebhooks, 'endpoints' | 'finish' | 'stop'> => ({
  pid: receiver.pid,
  kill: receiver.kill,
  begin: receiver.begin,
  phase: receiver.phase,
  cellsOfSecond: (second) => fold.cellsOfSecond(second),
  cells: () => fold.cells(),
  trouble: () => receiver.trouble()?.message,
  hole: () => (receiver.missing() === 0 ? undefined : `${receiver.missing()} messages of the receiver are missing: what it counted is not whole`),
  arrivals: (endpoints) =>
    receiver.arrivals(
      endpoints.map(({ path }) => path),
      registeredType,
    ),
});

async function openEndpoints({ scenario, target, view, signal }: WebhooksInput, receiver: CountingReceiver): Promise<readonly RunEndpoint[]> {
  const planned = planEndpoints(scenario, target);
  receiver.serve(planned.map(({ served }) => served));
  const byUrl = new Map(planned.map((one) => [new URL(one.path, receiver.url).href, one]));
  const pathOf = ({ url }: WantedEndpoint): string => byUrl.get(url)?.path ?? '';
  const made = await makeEndpoints({
    url: target.url,
    wanted: [...byUrl].map(([url, { account, types }]) => ({ account, url, types })),
    onSecret: (endpoint, secret) => receiver.expectAt(pathOf(endpoint), secret),
    onProgress: (confirmed) => view.progress(`confirming webhooks: ${confirmed} of ${planned.length}`),
    signal,
  });
  return made.flatMap((endpoint) => {
    const { served: _, ...plan } = byUrl.get(endpoint.url) as Planned;
    return [{ ...plan, ...endpoint }];
  });
}

/** Of every receiver at every account of the fleet; the probe's has none. */
function planEndpoints({ webhooks = [], fleet }: Scenario, target: Target): readonly Planned[] {
  const { quiet: accounts } = shareOut(target.accounts, fleet);
  return webhooks.flatMap((receiver) =>
    accounts.flatMap((account, accountIndex) =>
      Array.from({ length: endpointsOf(receiver) }, (_, n): Planned => {
        const { name } = receiver;
        const path = `/${name}/${accountIndex}/${n}`;
        // Who answers confirms by the answer; of one that does not a person would.
        const served = { path, receiver: name, reaction: reactionOf(receiver), confirmsBy: takesAll(receiver) ? 'echo' : 'visit' } as const;
        return { account, types: eventsOf(receiver), receiver: name, accountIndex, takesAll: takesAll(receiver), path, served };
      }),
    ),
  );
}

async function finish(receiver: CountingReceiver, fold: WebhookFold, processes: readonly WorkerLag[]): Promise<Omit<WebhooksRecord, 'ledger'>> {
  await receiver.handOver().catch(() => undefined);
  return { cells: fold.cells(), processes };
}

async function stop({ target }: WebhooksInput, receiver: CountingReceiver, endpoints: readonly RunEndpoint[]): Promise<void> {
  if (!target.owned) await dropEndpoints(target.url, endpoints);
  await receiver.stop();
}
