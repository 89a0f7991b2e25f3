/** The outward half of a store over any table: the same for every engine. */
import { claimDue, settleClaimed } from './ordered-attempts.ts';
import type { OrderedTable } from './ordered-changes.ts';
import { awakePartitions, listDeliveries, readHealth } from './ordered-deliveries.ts';
import {
  dropEndpointRow,
  enqueueEvent,
  listEndpoints,
  listHappenings,
  putEndpointRow,
  readEndpointOf,
  removeHappenings,
  replayEvents,
} from './ordered-outward.ts';
import type { OutwardCommands, OutwardReads } from './outward.ts';
import { allPartitions } from './partition.ts';

/** How an engine runs a piece of work: in a transaction, or from a snapshot. */
export type Run = <T>(work: () => T) => Promise<T>;

export const outwardCommands = (table: OrderedTable, run: Run): OutwardCommands => ({
  putEndpoint: (command) => run(() => putEndpointRow(table, command)),
  dropEndpoint: (command) => run(() => dropEndpointRow(table, command)),
  enqueueOutward: (command) => run(() => enqueueEvent(table, command)),
  dropHappenings: (command) => run(() => removeHappenings(table, command)),
  claimAttempts: (command) => run(() => claimDue(table, command)),
  settleAttempt: (command) => run(() => settleClaimed(table, command)),
  replayDeliveries: (command) => run(() => replayEvents(table, command)),
});

export const outwardReads = (table: OrderedTable, run: Run): OutwardReads => ({
  readEndpoint: (query) => run(() => readEndpointOf(table, query)),
  readEndpoints: ({ account }) => run(() => listEndpoints(table, account)),
  readEndpointHealth: (query) => run(() => readHealth(table, query)),
  readHappenings: (query) => run(() => listHappenings(table, query)),
  readOutwardDue: ({ nowMs }) => run(() => awakePartitions(table, allPartitions, nowMs)),
  readDeliveries: (query) => run(() => listDeliveries(table, query)),
});
