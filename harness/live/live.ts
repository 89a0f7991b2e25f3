/** The live view. Its state is what `onSecond` of the drive hands over, made into lines by pure functions. */
import type logUpdate from 'log-update';
import { createLogUpdate } from 'log-update';
import colours from 'picocolors';
import type { Verdict } from '#harness/run-result.ts';
import { type LiveState, linesOf, plainLineOf, verdictLines } from './lines.ts';

export type LiveView = {
  readonly note: (line: string) => void;
  readonly progress: (line: string) => void;
  readonly update: (state: LiveState) => void;
  readonly end: (verdict: Verdict, folder: string) => void;
  /** Gives the terminal back; safe to call again. */
  readonly close: () => void;
};

export type LiveOptions = {
  readonly stream: NodeJS.WritableStream & { readonly columns?: number };
  readonly isTerminal: boolean;
  readonly columns: number;
  /** Only the verdict. */
  readonly quiet: boolean;
};

// A line every so often is enough for a log; a terminal is redrawn each second.
const plainEverySeconds = 5;

export function createLiveView({ stream, isTerminal, columns, quiet }: LiveOptions): LiveView {
  const paint = colours.createColors(isTerminal && process.env.NO_COLOR === undefined);
  const drawing: typeof logUpdate | undefined = isTerminal && !quiet ? createLogUpdate(stream as NodeJS.WriteStream) : undefined;
  let lastPlainSecond = Number.NEGATIVE_INFINITY;
  let closed = false;
  const print = (line: string) => void stream.write(`${line}\n`);
  return {
    note: (line) => {
      if (quiet) return;
      drawing?.clear();
      print(paint.dim(line));
    },
    progress: (line) => drawing?.(paint.dim(line)),
    update: (state) => {
      if (quiet) return;
      if (drawing !== undefined) drawing(linesOf(state, columns, paint).join('\n'));
      else if (state.elapsedSeconds - lastPlainSecond >= plainEverySeconds) {
        lastPlainSecond = state.elapsedSeconds;
        print(plainLineOf(state));
      }
    },
    end: (verdict, folder) => {
      drawing?.clear();
      for (const line of verdictLines(verdict, folder, paint)) print(line);
    },
    close: () => {
      if (closed) return;
      closed = true;
      drawing?.done();
    },
  };
}
