/** A stream read inside the process: an outlet like a socket, whose frames come out one by one. What is not read holds the writing up, as a slow client's socket does. */
import { Writable } from 'node:stream';
import type { Frame } from '#system/protocol/frames.ts';
import { rawMember } from '#system/protocol/raw-json.ts';

export type FrameReader = {
  /** For `hub.open`, with the form `ndjson unchunked` and without headers. */
  readonly outlet: Writable;
  readonly frames: AsyncIterableIterator<Frame>;
};

type Taking = (result: IteratorResult<Frame, undefined>) => void;
const over = { done: true, value: undefined } as const;

export function createFrameReader(): FrameReader {
  let queue: Frame[] = [];
  let release: (() => void) | undefined;
  let isClosed = false;
  const takers: Taking[] = [];
  const serve = (): void => {
    while (takers.length > 0 && (queue.length > 0 || isClosed)) {
      const frame = queue.shift();
      takers.shift()?.(frame === undefined ? over : { done: false, value: frame });
    }
    if (queue.length > 0 || takers.length === 0) return;
    const goOn = release;
    release = undefined;
    goOn?.();
  };
  const outlet = new Writable({
    decodeStrings: false,
    write: (chunk: Buffer | string, _encoding, done) => {
      queue = framesIn(chunk);
      if (queue.length === 0) return done();
      release = done;
      serve();
    },
  });
  outlet.once('close', () => {
    isClosed = true;
    serve();
  });
  const frames: AsyncIterableIterator<Frame> = {
    next: () =>
      new Promise((resolve) => {
        takers.push(resolve);
        serve();
      }),
    return: async () => {
      queue = [];
      outlet.destroy();
      return over;
    },
    [Symbol.asyncIterator]: () => frames,
  };
  return { outlet, frames };
}

/** Of what the hub writes: whole frames, each a line among the lines of its chunk. */
const framesIn = (chunk: Buffer | string): Frame[] =>
  chunk
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map(frameOf);

/** What is shown of a change or a state are the bytes that the client sent. */
function frameOf(line: string): Frame {
  const frame = JSON.parse(line) as Frame;
  return frame.t === 'put' ? { ...frame, d: rawMember(Buffer.from(line), 'd') } : frame;
}
