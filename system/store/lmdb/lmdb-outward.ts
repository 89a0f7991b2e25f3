/** The outward half by message to the writing thread, and the commands of a device that tell what happened. */

import { endsTokens, tellPresence, tellRegistered } from '#system/store/device-happenings.ts';
import { touchDevice } from '#system/store/ordered-presence.ts';
import { addRegistration } from '#system/store/ordered-usage.ts';
import { outwardCommands } from '#system/store/outward-table.ts';
import { type DeviceRow, dayOf, type OutwardCommands, type OutwardReads, type Store } from '#system/store/store.ts';
import type { StoreTime } from '#system/store/store-time.ts';
import { noteEndedTokens } from './ended-tokens.ts';
import { ordered, type Submit } from './lmdb-changes.ts';
import { deviceRowKey } from './reads.ts';
import { readRow, type Tables, writeRow } from './tables.ts';

type AskCommand = <T>(name: keyof OutwardCommands, input: unknown) => Promise<T>;
type AskRead = <T>(name: keyof OutwardReads, input: unknown) => Promise<T>;

export const askedOutward = (command: AskCommand, read: AskRead): OutwardCommands & OutwardReads => ({
  putEndpoint: (input) => command('putEndpoint', input),
  dropEndpoint: (input) => command('dropEndpoint', input),
  enqueueOutward: (input) => command('enqueueOutward', input),
  dropHappenings: (input) => command('dropHappenings', input),
  claimAttempts: (input) => command('claimAttempts', input),
  settleAttempt: (input) => command('settleAttempt', input),
  replayDeliveries: (input) => command('replayDeliveries', input),
  readEndpoint: (query) => read('readEndpoint', query),
  readEndpoints: (query) => read('readEndpoints', query),
  readEndpointHealth: (query) => read('readEndpointHealth', query),
  readHappenings: (query) => read('readHappenings', query),
  readOutwardDue: (query) => read('readOutwardDue', query),
  readDeliveries: (query) => read('readDeliveries', query),
});

export function deviceCommands(tables: Tables, time: StoreTime, submit: Submit): Pick<Store, 'putDevice' | 'touch'> & OutwardCommands {
  const outward = ordered(tables.outward);
  return {
    ...outwardCommands(outward, submit),
    putDevice: ({ account, device, expected, row }) =>
      submit(() => {
        const present = readRow<DeviceRow>(tables.rows, deviceRowKey(account, device));
        if (present?.version !== expected) return { kind: 'conflict', row: present } as const;
        writeRow(tables.rows, deviceRowKey(account, device), row);
        tellRegistered(outward, { account, device, expected, row });
        const { generation, changedAtMs: atMs } = row;
        if (endsTokens(present, row)) noteEndedTokens(tables, { account, device, generation, atMs });
        if (!row.deleted) addRegistration(ordered(tables.usage), account, dayOf(row.changedAtMs));
        return { kind: 'stored' } as const;
      }),
    touch: ({ nowMs, timeoutMs, ...ref }) =>
      submit(() => {
        const appeared = touchDevice(ordered(tables.presence), ref, { nowMs, timeoutMs });
        if (appeared) tellPresence(outward, { ...ref, atMs: nowMs + time.offsetMs() }, true);
        return appeared;
      }),
  };
}
