/** The parts of the summary that are about streams. */
import { observeCpu } from '#harness/gates/observe-single.ts';
import type { RunResult, Verdict } from '#harness/run-result.ts';
import { markdownCell as cell, markdownTable as table } from './markdown.ts';
import { markdownText } from './printable.ts';
import { herdRows, readerCounts, readerRows } from './stream-rows.ts';
import { backText, countWords } from './stream-sections.ts';
import { wayRows } from './ways.ts';

/** Empty of a run without streams. */
export function streamParts(result: RunResult, { streams }: Verdict): readonly string[] {
  if (streams === undefined) return [];
  const micros = (process: string): string => cell(observeCpu(result, { process }, 'frame').figure?.seen);
  return [
    '## Streams',
    heldTable(result),
    ...herdPart(result),
    timesTable(streams.timesMs),
    `CPU a frame: generator ${micros('generator')} µs, service ${micros('system')} µs.`,
    ...waysPart(result),
    '## Changes',
    changesPart(result),
  ];
}

const heldTable = (result: RunResult): string =>
  table(
    ['phase', 'reader', 'held min', 'held max', ...readerCounts.map((name) => countWords[name])],
    readerRows(result).map(({ phase, reader, heldMin, heldMax, counts }) => [phase, reader, heldMin, heldMax, ...readerCounts.map((name) => counts[name])]),
  );

function herdPart(result: RunResult): readonly string[] {
  const rows = herdRows(result).map(({ phase, reader, ended, away, back50Ms, back90Ms, back99Ms }) => [
    phase,
    reader,
    ended,
    ...[back50Ms, back90Ms, back99Ms].map(backText),
    away,
  ]);
  return rows.length === 0 ? [] : [table(['phase', 'reader', 'ended', '50 % back', '90 % back', '99 % back', 'not back'], rows)];
}

function timesTable(timesMs: NonNullable<Verdict['streams']>['timesMs']): string {
  const rows = Object.entries(timesMs).flatMap(([phase, readers]) =>
    Object.entries(readers).flatMap(([reader, times]) =>
      Object.entries(times).map(([time, { count, p50, p90, p99, max }]) => [phase, reader, time, count, p50, p90, p99, max]),
    ),
  );
  return table(['phase', 'reader', 'time, ms', 'samples', 'p50', 'p90', 'p99', 'max'], rows);
}

function waysPart(result: RunResult): readonly string[] {
  const rows = wayRows(result).map(
    ({ phase, reader, way, heldMax, dialledPerSecond, bytesPerSecond, serviceCores, serviceMicrosPerChange, lagMs, changes }) => [
      phase,
      reader,
      way,
      heldMax,
      dialledPerSecond,
      Math.round(bytesPerSecond),
      serviceCores,
      serviceMicrosPerChange,
      lagMs.p50,
      lagMs.p99,
      changes,
    ],
  );
  const head = ['phase', 'reader', 'way', 'held', 'requests/s', 'bytes/s', 'service cores', 'service µs a change', 'lag p50 ms', 'lag p99 ms', 'changes'];
  return rows.length === 0 ? [] : ['## Ways compared', table(head, rows)];
}

function changesPart({ items }: RunResult): string {
  if (items === undefined) return 'What readers saw was not compared with what was acknowledged.';
  const { acknowledged, lostFromLog, expected, seen, lost, duplicated, reordered, leaked, incomplete } = items;
  const known = (value: number): number | null => (incomplete === undefined ? value : null);
  const head = ['acknowledged', 'lost from the log', 'readers had to see', 'saw', 'lost', 'duplicated', 'reordered', 'leaked'];
  const figures = table(head, [[acknowledged, ...[lostFromLog, expected, seen, lost, duplicated, reordered, leaked].map(known)]]);
  return incomplete === undefined ? figures : `${figures}\n\n**Not compared to the end: ${markdownText(incomplete)}**`;
}
