/**
 * The archive's book over a table whose keys are in order.
 *
 * key: s · partition 1              how far, the plan, sums
 *      r · partition 1 · position   a run, by where it ends
 */
import type { ArchivedRun, ArchiveStore, ArchiveTotals, PlanResult } from './archived.ts';
import { isHeld } from './clock-skew.ts';
import { type OrderedTable, readJson, writeJson } from './ordered-changes.ts';
import { partitionCount } from './partition.ts';
import type { Position } from './store.ts';

type Plan = { readonly to: Position; readonly name: string; readonly owner: string; readonly untilMs: number };
type Row = ArchiveTotals & { readonly through: Position; readonly endedAtMs: number; readonly plan?: Plan };

const newRow: Row = { through: '', endedAtMs: 0, events: 0, segments: 0, bytes: 0 };
const stateKey = (partition: number): Buffer => Buffer.from([0x73, partition]);
const runKey = (partition: number, to: Position): Buffer => Buffer.concat([Buffer.from([0x72, partition]), Buffer.from(to, 'latin1')]);
const rowOf = (table: OrderedTable, partition: number): Row => readJson<Row>(table, stateKey(partition)) ?? newRow;

export const archivedThrough = (table: OrderedTable, partition: number): Position => rowOf(table, partition).through;

/** `checkpoint`: the pipeline's. */
export function planArchive(table: OrderedTable, command: Parameters<ArchiveStore['planArchive']>[0], checkpoint: Position): PlanResult {
  const { partition, owner, nowMs } = command;
  const row = rowOf(table, partition);
  const { plan, through } = row;
  if (plan !== undefined && plan.owner !== owner && isHeld(plan.untilMs, command)) return { kind: 'idle' };
  const wanted = command.to < checkpoint ? command.to : checkpoint;
  if (plan === undefined && wanted <= through) return { kind: 'idle' };
  const { to, name } = plan ?? { to: wanted, name: command.name };
  writeJson(table, stateKey(partition), { ...row, plan: { to, name, owner, untilMs: nowMs + command.ttlMs } } satisfies Row);
  return { kind: 'planned', from: through, to, name };
}

export function commitArchive(table: OrderedTable, command: Parameters<ArchiveStore['commitArchive']>[0]): boolean {
  const { partition, name, nowMs, manifest } = command;
  const { plan, ...row } = rowOf(table, partition);
  if (plan === undefined || plan.name !== name) return false;
  if (manifest !== undefined) writeJson(table, runKey(partition, plan.to), { from: row.through, to: plan.to, key: manifest } satisfies ArchivedRun);
  const [events, segments, bytes] = [row.events + command.events, row.segments + command.segments, row.bytes + command.bytes];
  writeJson(table, stateKey(partition), { through: plan.to, endedAtMs: nowMs, events, segments, bytes } satisfies Row);
  return true;
}

export function readArchive(table: OrderedTable): Awaited<ReturnType<ArchiveStore['readArchive']>> {
  const rows = Array.from({ length: partitionCount }, (_, partition) => rowOf(table, partition));
  const sum = (name: keyof ArchiveTotals): number => rows.reduce((total, row) => total + row[name], 0);
  return {
    partitions: rows.map(({ through, endedAtMs }) => ({ through, endedAtMs })),
    totals: { events: sum('events'), segments: sum('segments'), bytes: sum('bytes') },
  };
}

export function readArchivedRuns(table: OrderedTable, { partition, after, limit }: Parameters<ArchiveStore['readArchivedRuns']>[0]): readonly ArchivedRun[] {
  const start = Buffer.concat([runKey(partition, after), Buffer.alloc(1)]);
  const end = Buffer.from([0x72, partition + 1]);
  return Array.from(table.range({ start, end, limit }), ({ value }) => JSON.parse(value.toString()) as ArchivedRun);
}
