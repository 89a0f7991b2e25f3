import { describe, expect, test } from 'vitest';
import { exampleCell, exampleRun, thresholdOf } from '#harness/gates/example-run.ts';
import { exampleStreamCell, exampleStreamScenario, exampleStreams, streamThresholdOf } from '#harness/gates/example-streams.ts';
import { judge } from '#harness/gates/judge.ts';
import { exampleStorm } from '#harness/report/example-streams.ts';
import type { StreamCell } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import { type LiveState, linesOf, plainLineOf } from './lines.ts';
import { type Line, paintOf, written } from './styled.ts';
import { standingOf } from './thresholds.ts';
import { verdictLines } from './verdict-lines.ts';

const textOf = (lines: readonly Line[]): string => lines.map((line) => written(line, paintOf(false))).join('\n');
const storm = exampleStorm().result;
const stormCells = storm.streams?.cells ?? [];

function stateAt(
  second: number,
  { cells = stormCells, scenario = storm.run.scenario }: { cells?: readonly StreamCell[]; scenario?: Scenario } = {},
): LiveState {
  return {
    scenario,
    elapsedSeconds: second,
    phase: 2,
    phaseElapsedSeconds: second - 25,
    phases: scenario.phases.map((phase) => ({ ...phase, spacing: 'poisson', traffic: [] })),
    cells: [],
    allCells: () => [],
    streams: { cells: cells.filter((cell) => cell.second === second), allCells: () => cells.filter((cell) => cell.second <= second) },
    generatorCores: undefined,
    systemCores: 0.5,
    stealShare: 0,
    thresholds: [],
  };
}
const shownAt = (second: number, changes: Parameters<typeof stateAt>[1] = {}): string => textOf(linesOf(stateAt(second, changes), [], 120, false));

describe('what is shown of streams', () => {
  test('who is held, what is delivered, and nothing of requests that nobody plans', () => {
    const text = shownAt(20);
    expect(text).toContain('streams   held 2,000   opening 0   waiting 0      lost 0   byes 0');
    expect(text).toMatch(/delivery {2}changes 400\/s {3}lag p50 \d\.\d\d ms {3}p99 [\d.]+ ms {6}gap max [\d]+ ms {3}heartbeats missed 0/);
    for (const absent of ['rate ', 'response', 'trouble', 'herd']) expect(text).not.toContain(absent);
    expect(text).toContain('µs a frame');
  });
  test('the herd while somebody is away: how many are back', () => {
    expect(shownAt(40)).toContain('waiting 1,000');
    const cells = [exampleStreamCell({ second: 12, counts: { lost: 90, byes: 10, abandoned: 2 }, clean: { resume: [[900, 97]] }, held: { waiting: 1 } })];
    expect(shownAt(12, { cells })).toMatch(/herd {6}1 away, 99\.0 % back/);
    const earlier = exampleStreamCell({ second: 3, counts: { lost: 900 }, clean: { resume: [[900, 900]] } });
    expect(shownAt(12, { cells: [earlier, ...cells] })).toContain('1 away, 99.0 % back');
    expect(shownAt(12, { cells: [exampleStreamCell({ held: { waiting: 5 } })] })).not.toContain('herd');
  });
  test('without a sample there is no time', () => {
    expect(shownAt(12, { cells: [exampleStreamCell({})] })).toContain('lag p50 –   p99 –      gap max –');
  });
  test('with requests both are shown; without streams nothing of them', () => {
    const scenario = exampleStorm({ writes: true }).result.run.scenario;
    const both = { ...stateAt(20, { scenario }), cells: [exampleCell({ clean: [[5, 200]] })] };
    expect(textOf(linesOf(both, [], 120, false))).toMatch(/fired 200\/s[\s\S]*held 2,000[\s\S]*µs a request/);
    expect(plainLineOf(both)).toMatch(/fired 200\/s.*held 2000/);
    const { streams: _streams, ...without } = both;
    expect(textOf(linesOf(without, [], 120, false))).not.toMatch(/streams|delivery/);
  });
  test('a log’s line', () => {
    expect(plainLineOf(stateAt(30))).toMatch(
      /30 s {2}storm {7}held 0 opening 0 waiting 2000, lost 2000 byes 0 {2}changes 0\/s lag p50 – p99 –, heartbeats missed 0 {2}generator/,
    );
  });
});

describe('thresholds on streams turning', () => {
  const running = (cells: readonly StreamCell[], begun = 3) => ({
    scenario: exampleStreamScenario,
    cells: [],
    phases: exampleRun().phases.slice(0, begun),
    streams: { cells },
  });
  const all = exampleStreams().streams?.cells ?? [];
  const state = (metric: string, expression: string, cells: readonly StreamCell[], begun = 3) =>
    standingOf(streamThresholdOf(metric, expression), running(cells, begun)).state;
  test('not yet before the phase; then holding or broken', () => {
    expect(state('delivery_lag_ms{phase:spike}', 'p(99)<250', all, 2)).toBe('not-yet');
    expect(state('delivery_lag_ms{phase:spike}', 'p(99)<250', all)).toBe('holding');
    expect(state('delivery_lag_ms{phase:spike}', 'p(99)<1', all)).toBe('broken');
    expect(state('streams_dialled', 'max<=200', all)).toBe('holding');
  });
  test('what a process has not handed over yet is nobody gone', () => {
    const late = all.filter(({ second }) => second < 17).map((cell) => (cell.second > 14 ? { ...cell, held: { live: 50, opening: 0, waiting: 0 } } : cell));
    expect(state('streams_held{phase:spike}', 'min>=100', late)).toBe('holding');
    const gone = late.map((cell) => (cell.second === 14 ? { ...cell, held: { live: 50, opening: 0, waiting: 0 } } : cell));
    expect(state('streams_held{phase:spike}', 'min>=100', gone)).toBe('broken');
  });
  test('what only the end brings: not yet', () => {
    expect(state('changes_lost', 'count==0', all)).toBe('not-yet');
    expect(state('cpu_micros_per_frame{process:system}', 'value<1', all)).toBe('not-yet');
  });
});

describe('the end', () => {
  test('a run of streams alone: streams and changes, nothing of requests', () => {
    const text = textOf(verdictLines(exampleStorm().verdict, 'reports/x'));
    expect(text).toContain('streams   held 0 to 2,000, opened 6,000, lost 2,000, byes 0, refused 0');
    expect(text).toContain('changes   expected 22,000, seen 22,000, lost 0, duplicated 0, reordered 0, leaked 0');
    for (const absent of ['requests', 'ledger', 'a request']) expect(text).not.toContain(absent);
  });
  test('with requests both; what was not compared is not known', () => {
    const { items: _items, ...unread } = exampleStorm({ writes: true }).result;
    const text = textOf(verdictLines(judge(unread, []), 'reports/x'));
    expect(text).toContain('requests  planned 14,000');
    expect(text).toContain('changes   expected not known, seen not known, lost not known');
    const plain = textOf(verdictLines(judge(exampleRun(), [thresholdOf('failed', 'rate<0.1')]), 'reports/x'));
    expect(plain).toContain('ledger    acknowledged 6,700');
    expect(plain).not.toContain('changes');
  });
});
