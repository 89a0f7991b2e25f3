/** Lines into a file, behind the back of whoever writes them: gathered, written in pieces, and at most so many, since a run's folder does not grow with its requests. */
import { createWriteStream } from 'node:fs';

export type LineLog = {
  readonly write: (line: string) => void;
  /** Writes what is left. Resolves when it is on its way to the disk, or the file cannot be written. */
  readonly end: () => Promise<void>;
};

export const linesMaxDefault = 200_000;
const pieceBytes = 65_536;
const flushEveryMs = 250;

export function openLineLog(file: string, linesMax = linesMaxDefault): LineLog {
  const stream = createWriteStream(file, { flags: 'a' });
  let isBroken = false;
  let pending = '';
  let lines = 0;
  // A disk that is full ends the log and not the balancer.
  stream.on('error', () => {
    isBroken = true;
  });
  const flush = (): void => {
    if (pending !== '' && !isBroken) stream.write(pending);
    pending = '';
  };
  const timer = setInterval(flush, flushEveryMs).unref();
  return {
    write: (line) => {
      if (++lines > linesMax) return;
      pending += `${line}\n`;
      if (pending.length > pieceBytes) flush();
    },
    end: async () => {
      clearInterval(timer);
      if (lines > linesMax) pending += `${JSON.stringify({ omittedLines: lines - linesMax })}\n`;
      flush();
      if (isBroken) return;
      await new Promise<void>((resolve) => stream.once('close', resolve).end());
    },
  };
}
