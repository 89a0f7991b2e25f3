/**
 * The durable store: one LMDB environment, shared by the worker processes of a machine. Each process has one thread that opens it and alone
 * waits for the disk: a flush that hangs in the kernel leaves this thread able to say so.
 */
import { partitionCount, type Store, type StoreUnavailable } from '#system/store/store.ts';
import { createMachineClock, createStoreTime } from '#system/store/store-time.ts';
import { createAppendQueue } from './append-queue.ts';
import type { DirectOptions } from './direct-store.ts';
import { askedOutward } from './lmdb-outward.ts';
import type { CommandName, Companion, ReadName } from './messages.ts';
import { closedError, startThread } from './thread.ts';

export type LmdbStoreOptions = DirectOptions & {
  readonly flushTimeoutMs: number;
  readonly companion?: Companion;
  readonly onTrouble?: (trouble: StoreUnavailable) => void;
  /** Told once, when this process cannot write any more whatever happens: it should end, and another one begin. */
  readonly onLost?: (trouble: StoreUnavailable) => void;
  readonly onCompanionTrouble?: (text: string) => void;
  readonly onCompanionSays?: (news: unknown) => void;
  /** For twins and tests only: stands between the commit and the answer. */
  readonly faults?: { readonly flush?: (real: () => Promise<void>) => Promise<void> };
};

export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const { flushTimeoutMs, onTrouble, onLost, onCompanionTrouble, onCompanionSays, faults, ...data } = options;
  const thread = await startThread({ data, flushTimeoutMs, onTrouble, onLost, onCompanionTrouble, onCompanionSays, flush: faults?.flush });
  const appends = createAppendQueue(thread);
  let closed = false;
  const command = <T>(name: CommandName, value: unknown): Promise<T> => thread.ask<T>((id) => ({ kind: 'command', id, name, command: value }));
  const read = <T>(name: ReadName, query: unknown): Promise<T> => thread.ask<T>((id) => ({ kind: 'read', id, name, query }));
  return {
    readLog: (query) => read('readLog', query),
    readStates: (devices) => read('readStates', devices),
    readClock: (query) => read('readClock', query),
    readLatest: (query) => read('readLatest', query),
    readHistory: (query) => read('readHistory', query),
    readDevice: (query) => read('readDevice', query),
    readAccount: (account) => read('readAccount', account),
    readCounters: (account) => read('readCounters', account),
    readBacklog: () => read('readBacklog', undefined),
    readTrouble: () => read('readTrouble', undefined),
    ackLevel: options.durability,
    storeMs: createStoreTime(thread.anchor, createMachineClock()).nowMs,
    append: (append) => (closed ? Promise.reject(closedError()) : appends.add(append)),
    lease: async (lease) => command('lease', checked(lease)),
    release: async (release) => command('release', checked(release)),
    step: async (step) => command('step', checked(step)),
    planArchive: async (plan) => command('planArchive', checked(plan)),
    commitArchive: async (commit) => command('commitArchive', checked(commit)),
    readArchive: () => read('readArchive', undefined),
    readArchivedRuns: (query) => read('readArchivedRuns', query),
    noteClock: (note) => command('noteClock', note),
    putDevice: (put) => command('putDevice', put),
    putAccount: (row) => command('putAccount', row),
    settle: (settling) => command('settle', settling),
    leaseQuota: (lease) => command('leaseQuota', lease),
    touch: (touch) => command('touch', touch),
    expire: async (expiry) => command('expire', checked(expiry)),
    readDue: (query) => read('readDue', query),
    readPresence: (query) => read('readPresence', query),
    readDevices: (query) => read('readDevices', query),
    readEndedTokens: (query) => read('readEndedTokens', query),
    ...askedOutward(command, read),
    putMetered: (metered) => command('putMetered', metered),
    readUsage: (query) => read('readUsage', query),
    backup: (to) => command('backup', to),
    change: (change) => command('change', change),
    renewEpoch: (renewal) => command('renewEpoch', renewal),
    share: (share) => command('share', share),
    unshare: (unshare) => command('unshare', unshare),
    dropOutbox: (drop) => command('dropOutbox', drop),
    readChanges: (query) => read('readChanges', query),
    readHeads: (keys) => read('readHeads', keys),
    readItem: (query) => read('readItem', query),
    readSnapshot: (query) => read('readSnapshot', query),
    readShares: (query) => read('readShares', query),
    readShare: (query) => read('readShare', query),
    readOutbox: (query) => read('readOutbox', query),
    close: async () => {
      if (closed) return;
      closed = true;
      appends.send();
      await thread.close();
    },
  };
}

function checked<T extends { readonly partition: number }>(command: T): T {
  const { partition } = command;
  if (!Number.isInteger(partition) || partition < 0 || partition >= partitionCount) throw new RangeError(`There is no partition ${partition}.`);
  return command;
}
