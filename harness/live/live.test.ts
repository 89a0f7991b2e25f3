import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exampleCell, exampleLedger, exampleRun, exampleScenario, thresholdOf } from '#harness/gates/example-run.ts';
import { judge } from '#harness/gates/judge.ts';
import type { Cell } from '#harness/run-result.ts';
import { linesOf } from './lines.ts';
import { createLiveView, type LiveState } from './live.ts';
import { cut, type Line, paintOf, widthOf, written } from './styled.ts';
import { standingOf } from './thresholds.ts';

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

class FakeStream extends Writable {
  readonly columns: number;
  readonly rows = 50;
  readonly isTTY: boolean;
  text = '';
  constructor(columns: number, isTTY: boolean) {
    super();
    this.columns = columns;
    this.isTTY = isTTY;
  }
  override _write(chunk: unknown, _: unknown, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

const durations = [2, 10, 5, 5];
const phases: LiveState['phases'] = exampleScenario.phases.map(({ name, measured, durationSeconds, rate }) => ({
  name,
  measured,
  durationSeconds,
  rate,
  spacing: 'poisson',
  traffic: [],
}));

function stateAt(
  elapsedSeconds: number,
  cells: readonly Cell[] = [exampleCell({ clean: [[5, 990]], counts: { failed: 0 } })],
  changes: Partial<LiveState> = {},
): LiveState {
  let phase = 0;
  let startSeconds = 0;
  while (phase < durations.length - 1 && elapsedSeconds >= startSeconds + (durations[phase] as number)) startSeconds += durations[phase++] as number;
  return {
    scenario: exampleScenario,
    elapsedSeconds,
    phase,
    phaseElapsedSeconds: elapsedSeconds - startSeconds,
    phases,
    cells,
    allCells: () => cells,
    generatorCores: undefined,
    systemCores: 0.5,
    stealShare: 0.01,
    thresholds: [],
    ...changes,
  };
}

const viewOn = (stream: FakeStream, more: { readonly quiet?: boolean; readonly noColour?: boolean } = {}) =>
  createLiveView({ stream, isTerminal: stream.isTTY, columns: 80, quiet: false, noColour: false, ...more });

describe('without a terminal', () => {
  test('plain lines, one every few seconds, without escape codes', () => {
    const stream = new FakeStream(80, false);
    const view = viewOn(stream);
    for (let second = 1; second <= 11; second++) view.update(stateAt(second));
    view.progress('registering devices: 1 of 2');
    view.close();
    const lines = stream.text.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(stream.text).not.toContain('\u001b');
    expect(stream.text).not.toContain('registering');
  });
  test('a line has the phase, rates, times, trouble, processor time; and what cannot be measured says so', () => {
    const stream = new FakeStream(80, false);
    viewOn(stream).update(stateAt(13, [exampleCell({ clean: [[5, 990]], counts: { failed: 10, neverFired: 3 } })]));
    expect(stream.text).toMatch(/13 s {2}spike/);
    expect(stream.text).toContain('planned 1003/s fired 1000/s answered 1000/s');
    expect(stream.text).toMatch(/response p50 5\.0\d ms p99 5\.0\d ms/);
    expect(stream.text).toContain('failed 10 shed 0 never fired 3 late 0');
    expect(stream.text).toContain('generator not measurable, service 0.50 cores, steal 1.0 %');
  });
  test('who is not answered yet has waited for longer than those who are', () => {
    const stream = new FakeStream(80, false);
    viewOn(stream).update(stateAt(13, [exampleCell({ clean: [[5, 600]], counts: { planned: 1000, answered: 600 } })]));
    expect(stream.text).toMatch(/response p50 5\.\d+ ms p99 > 1 s so far/);
  });
  test('a quantile that falls among the failed is not a time', () => {
    const stream = new FakeStream(80, false);
    viewOn(stream).update(stateAt(13, [exampleCell({ clean: [[5, 900]], counts: { failed: 100 } })]));
    expect(stream.text).toContain('p99 ≥ timeout');
  });
});

describe('on a terminal', () => {
  const shownAt = (columns: number, more: { readonly noColour?: boolean } = {}): string => {
    const stream = new FakeStream(columns, true);
    const view = viewOn(stream, more);
    view.update(
      stateAt(13, [exampleCell({ phase: 2, clean: [[5, 990]] })], {
        thresholds: [thresholdOf('response_ms', 'p(99)<250'), thresholdOf('events_lost', 'count==0')],
      }),
    );
    view.close();
    return stream.text;
  };
  test('the phase, rates, both times, trouble, processor time and every threshold', () => {
    const text = stripVTControlCharacters(shownAt(120));
    for (const part of ['warm-up', 'spike 1 of 5 s', 'run 13 of 22 s', 'fired 990/s', 'response', 'service', 'failed 0', '(505 µs a request)', 'steal 1.0 %'])
      expect(text).toContain(part);
    expect(text).toMatch(/✓ response_ms p\(99\)<250 +5 ms/);
    expect(text).toContain('… events_lost count==0');
  });
  test.each([24, 40, 80, 200])('no line is wider than %i columns', (columns) => {
    for (const line of stripVTControlCharacters(shownAt(columns)).split('\n')) expect([...line].length).toBeLessThan(columns);
  });
  test('NO_COLOR: no colours, and the bar is filled instead', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
    const colour = /\u001b\[[0-9;]*m/;
    expect(shownAt(120)).toMatch(colour);
    expect(shownAt(120, { noColour: true })).not.toMatch(colour);
    expect(shownAt(120, { noColour: true })).toContain('█');
  });
  test('the cursor is given back, however often the view is closed', () => {
    const stream = new FakeStream(80, true);
    const view = viewOn(stream);
    view.update(stateAt(1));
    expect(stream.text).toContain(hideCursor);
    expect(stream.text).not.toContain(showCursor);
    view.close();
    view.close();
    expect(stream.text.split(showCursor)).toHaveLength(2);
    view.update(stateAt(2));
    expect(stream.text.endsWith(showCursor)).toBe(true);
  });
  test('a note stays above what is redrawn', () => {
    const stream = new FakeStream(80, true);
    const view = viewOn(stream);
    view.update(stateAt(1));
    view.note('calibrating');
    view.update(stateAt(2));
    view.close();
    expect(stripVTControlCharacters(stream.text)).toContain('calibrating\n');
  });
});

describe('thresholds turning', () => {
  const running = (begun: number) => ({
    scenario: exampleScenario,
    phases: exampleRun().phases.slice(0, begun),
    cells: exampleRun().cells.filter(({ phase }) => phase < begun),
  });
  const state = (metric: string, expression: string, begun: number) => standingOf(thresholdOf(metric, expression), running(begun)).state;
  test('not yet before its phase has begun; then holding or broken', () => {
    expect(state('response_ms{phase:spike}', 'p(99)<250', 2)).toBe('not-yet');
    expect(state('response_ms{phase:spike}', 'p(99)<250', 3)).toBe('holding');
    expect(state('response_ms{phase:spike}', 'p(99)<1', 3)).toBe('broken');
  });
  test('recovery not before its phase is over', () => {
    expect(state('recovery_seconds{phase:spike,baseline:calm}', 'value<=15', 3)).toBe('not-yet');
    expect(state('recovery_seconds{phase:spike,baseline:calm}', 'value<=15', 4)).toBe('holding');
  });
  test('what only the end brings: not yet', () => {
    expect(state('events_lost', 'count==0', 4)).toBe('not-yet');
    expect(state('pipeline_drain_seconds', 'value<=10', 4)).toBe('not-yet');
  });
  test('unknown where the spoiled may have been anything', () => {
    const cells = [exampleCell({ phase: 2, second: 12, clean: [[5, 900]], spoiled: [[400, 100]] })];
    expect(standingOf(thresholdOf('response_ms{phase:spike}', 'p(99)<250'), { ...running(3), cells })).toMatchObject({ state: 'unknown' });
  });
  test('every state has a mark of its own', () => {
    const states = ['holding', 'broken', 'not-yet', 'unknown'] as const;
    const lines = linesOf(
      stateAt(13),
      states.map((one) => ({ text: 'x', state: one, observed: '1' })),
      80,
      false,
    ).slice(-4);
    expect(new Set(lines.map((line) => written(line, paintOf(false)).trim()[0])).size).toBe(4);
  });
});

describe('the end', () => {
  const ended = (stream: FakeStream, quiet: boolean): string => {
    const view = viewOn(stream, { quiet });
    view.note('starting');
    view.update(stateAt(10));
    const lossy = exampleRun({ ledger: { ...exampleLedger, lost: 2 } });
    view.end(judge(lossy, [thresholdOf('failed', 'rate<0.001'), thresholdOf('events_lost', 'count==0')]), 'reports/x');
    view.close();
    return stripVTControlCharacters(stream.text);
  };
  test('quiet: only the verdict, with its reasons, every threshold and where the report is', () => {
    const text = ended(new FakeStream(80, false), true);
    expect(text).not.toContain('starting');
    for (const part of [
      'example: FAIL',
      'exit code 1',
      '2 of 6700 acknowledged',
      '✓ failed rate<0.001',
      '✗ events_lost count==0',
      'lost 2',
      'reports/x/index.html',
    ])
      expect(text).toContain(part);
  });
  test('on a terminal the same', () => {
    expect(ended(new FakeStream(80, true), false)).toContain('✗ events_lost count==0');
  });
});

test('a cut line is as wide as was asked, whatever its styles', () => {
  const part = fc.oneof(
    fc.string({ unit: 'grapheme-ascii' }),
    fc.record({ text: fc.string({ unit: 'grapheme-ascii' }), style: fc.constantFrom('bold' as const, 'red' as const) }),
  );
  fc.assert(
    fc.property(fc.array(part), fc.integer({ min: 1, max: 60 }), (line: Line, columns) => {
      const kept = cut(line, columns);
      expect(widthOf(kept)).toBe(Math.min(widthOf(line), columns));
      expect(stripVTControlCharacters(written(kept, paintOf(true)))).toBe(written(kept, paintOf(false)));
    }),
  );
});
