/** The live view. Its state is what the drive hands over each second, made into lines by pure functions. */
import { createLogUpdate } from 'log-update';
import type { PhaseRecord, Verdict } from '#harness/run-result.ts';
import { cursorOf } from './cursor.ts';
import { type LiveState, linesOf, plainLineOf } from './lines.ts';
import { cut, type Line, paintOf, styled, written } from './styled.ts';
import { type Standing, standingOf } from './thresholds.ts';
import { verdictLines } from './verdict-lines.ts';

export type { LiveState } from './lines.ts';

export type LiveView = {
  /** A line that stays. */
  readonly note: (line: string) => void;
  /** A line that the next one replaces; only on a terminal. */
  readonly progress: (line: string) => void;
  readonly update: (state: LiveState) => void;
  readonly end: (verdict: Verdict, folder: string) => void;
  /** Gives the terminal back; safe to call again. */
  readonly close: () => void;
};

export type LiveOptions = {
  readonly stream: NodeJS.WritableStream & { readonly columns?: number };
  readonly isTerminal: boolean;
  /** Where the stream does not say; a terminal that changes its width says so. */
  readonly columns: number;
  /** Only the verdict. */
  readonly quiet: boolean;
  /** NO_COLOR, as no-color.org has it: set and not empty. */
  readonly noColour?: boolean;
};

// A line every so often is enough for a log; a terminal is redrawn each second.
const plainEverySeconds = 5;
const noColourByEnvironment = (): boolean => (process.env.NO_COLOR ?? '') !== '';

export function createLiveView({ stream, isTerminal, columns, quiet, noColour = noColourByEnvironment() }: LiveOptions): LiveView {
  const coloured = isTerminal && !noColour;
  const paint = paintOf(coloured);
  const drawing = isTerminal && !quiet ? createLogUpdate(stream as NodeJS.WriteStream, { showCursor: true }) : undefined;
  const cursor = cursorOf(stream);
  const phases = new PhaseTimes();
  let lastPlainSecond = Number.NEGATIVE_INFINITY;
  let closed = false;
  const width = (): number => Math.max(20, (stream.columns ?? columns) - 1);
  const print = (line: Line) => void stream.write(`${written(line, paint)}\n`);
  const draw = (lines: readonly Line[]): void => {
    if (drawing === undefined || closed) return;
    cursor.hide();
    drawing(lines.map((line) => written(cut(line, width()), paint)).join('\n'));
  };
  return {
    note: (line) => {
      if (quiet) return;
      drawing?.clear();
      print([styled('dim', line)]);
    },
    progress: (line) => void draw([[styled('dim', line)]]),
    update: (state) => {
      if (quiet || closed) return;
      const begun = phases.seen(state);
      if (drawing !== undefined) draw(linesOf(state, standingsOf(state, begun), width(), coloured));
      else if (state.elapsedSeconds - lastPlainSecond >= plainEverySeconds) {
        lastPlainSecond = state.elapsedSeconds;
        print([plainLineOf(state)]);
      }
    },
    end: (verdict, folder) => {
      drawing?.clear();
      for (const line of verdictLines(verdict, folder)) print(line);
    },
    close: () => {
      if (closed) return;
      closed = true;
      drawing?.done();
      cursor.show();
    },
  };
}

function standingsOf(state: LiveState, phases: readonly PhaseRecord[]): readonly Standing[] {
  const { scenario, thresholds, streams, webhooks } = state;
  const soFar = {
    scenario,
    cells: state.allCells(),
    phases,
    ...(streams === undefined ? {} : { streams: { cells: streams.allCells() } }),
    ...(webhooks === undefined ? {} : { webhooks: { cells: webhooks.allCells(), ledger: undefined } }),
  };
  return thresholds.map((threshold) => standingOf(threshold, soFar));
}

/** When the phases that have begun began: a phase may end before its time, so its start has to be seen. */
class PhaseTimes {
  readonly #startSeconds: number[] = [];

  seen({ phases, phase, elapsedSeconds, phaseElapsedSeconds }: LiveState): readonly PhaseRecord[] {
    this.#startSeconds[phase] = elapsedSeconds - phaseElapsedSeconds;
    return phases.slice(0, phase + 1).map(({ name, measured }, index) => ({
      name,
      measured,
      startSeconds: this.#startSeconds[index] ?? 0,
      endSeconds: this.#startSeconds[index + 1] ?? elapsedSeconds,
      planned: 0,
    }));
  }
}
