/** Takes what outboxes hold into the recipients' inboxes. */
import { type Clock, createPause } from '#system/clock.ts';
import { allPartitions, type LogKey, type OutboxRecord, type Store } from '#system/store/store.ts';

export type DeliveryOptions = {
  readonly store: Store;
  readonly clock: Clock;
  /** Told once something is in their logs. */
  readonly poke: (keys: readonly LogKey[]) => void;
  readonly onTrouble: (error: unknown) => void;
};
export type Deliveries = { readonly stop: () => Promise<void> };

const pauseMs = 50;
const troublePauseMs = 1000;
const recordsAtOnce = 256;
/** Shares that were said to be lost to a full inbox; beyond it all are forgotten, and may be said again. */
const toldSharesMax = 1000;

/**
 * Every worker runs one: the condition on the recipient's item makes a record that two deliver the same as one, so no lease has to be waited for
 * when a worker dies.
 */
export function startDeliveries(options: DeliveryOptions): Deliveries {
  let stopping = false;
  const pause = createPause();
  const onDropped = tellOnce(options.onTrouble);
  const run = async (): Promise<void> => {
    while (!stopping) {
      try {
        const busy = await deliverOnce({ ...options, onDropped });
        if (!busy) await pause.for(pauseMs);
      } catch (error) {
        options.onTrouble(error);
        await pause.for(troublePauseMs);
      }
    }
  };
  const running = run();
  return {
    stop: () => {
      stopping = true;
      pause.end();
      return running;
    },
  };
}

/** Each share once: a recipient whose inbox is full would otherwise have a line of log for every change of every item. */
function tellOnce(onTrouble: DeliveryOptions['onTrouble']): (record: OutboxRecord) => void {
  const told = new Set<string>();
  return ({ account, share, to }) => {
    if (told.has(share)) return;
    if (told.size >= toldSharesMax) told.clear();
    told.add(share);
    onTrouble(new Error(`the inbox of ${to} of ${account} is full: a delivery of share ${share} was dropped`));
  };
}

/** `onDropped`: the recipient's inbox is full. */
type Delivering = DeliveryOptions & { readonly onDropped?: (record: OutboxRecord) => void };

/** True: there may be more at once. */
export async function deliverOnce({ store, clock, poke, onDropped }: Delivering): Promise<boolean> {
  const records = await store.readOutbox({ partitions: allPartitions, limit: recordsAtOnce });
  if (records.length === 0) return false;
  // Submitted in order and at once: the store runs them in this order.
  const results = await Promise.all(records.map((record) => store.change(inboxChange(record, clock.wallMs()))));
  await Promise.all(
    [...Map.groupBy(records, ({ partition }) => partition)].map(([partition, of]) => store.dropOutbox({ partition, sources: of.map(({ source }) => source) })),
  );
  for (const record of records.filter((_, i) => results[i]?.kind === 'full')) onDropped?.(record);
  const changed = records.filter((_, i) => results[i]?.kind === 'changed');
  const keys = new Map(changed.map(({ account, to }) => [`${account}\0${to}`, { account, principal: to }]));
  if (keys.size > 0) poke([...keys.values()]);
  return true;
}

function inboxChange(record: OutboxRecord, nowMs: number): Parameters<Store['change']>[0] {
  const { account, to, from, share, channel, key, item, source } = record;
  return {
    account,
    principal: to,
    channel: 'inbox',
    key: share,
    atMs: nowMs,
    condition: { kind: 'later-source', source },
    bytes: item === undefined ? undefined : inboxItem({ from, share, channel, key, version: item.version, data: Buffer.from(item.bytes).toString('utf8') }),
  };
}

type InboxItem = {
  readonly from: string;
  readonly share: string;
  readonly channel: string;
  readonly key: string;
  readonly version: number;
  readonly data: string;
};

/** `data` is JSON already. */
function inboxItem({ from, share, channel, key, version, data }: InboxItem): Uint8Array {
  const head = { share_id: share, from: { user: from.replace(/^user:/, '') }, collection: channel.replace(/^sync:/, ''), item: key, version };
  return Buffer.from(`${JSON.stringify(head).slice(0, -1)},"data":${data}}`);
}
