/**
 * Lines out of a chunked answer whose bytes may be split or glued anywhere. What came whole is read where it lies; only what is cut is kept. One for
 * each connection that is held, so it has three fields.
 */

/** A head of the contract has a few hundred bytes, a frame at most 64 KiB, a page of them 256 KiB. */
const headBytesMax = 65_536;
const heldBytesMax = 4 * 1024 * 1024;
const headEnd = Buffer.from('\r\n\r\n');
const newline = 0x0a;
const carriageReturn = 0x0d;

export type FrameEvents = {
  /** Once, before any line. False: nothing more of it is wanted. */
  readonly onHead: (head: string) => boolean;
  readonly onLine: (line: string) => void;
  /** The answer is complete: the last chunk came. */
  readonly onEnd: () => void;
  /** The bytes are no chunked answer. */
  readonly onTrouble: (what: string) => void;
};

type State = 'head' | 'chunks' | 'over';

export class FrameReader {
  #state: State = 'head';
  /** Bytes that are no whole chunk yet. */
  #held: Buffer | undefined = undefined;
  /** The beginning of a line that goes on in the next chunk. */
  #line = '';

  push(buffer: Buffer, start: number, end: number, events: FrameEvents): void {
    if (this.#state === 'over') return;
    const fresh = buffer.subarray(start, end);
    const bytes = this.#held === undefined ? fresh : Buffer.concat([this.#held, fresh]);
    let at = this.#state === 'head' ? this.#readHead(bytes, events) : 0;
    while (this.#state === 'chunks') {
      const next = this.#readChunk(bytes, at, events);
      if (next < 0) break;
      at = next;
    }
    this.#keep(bytes, at, events);
  }

  #readHead(bytes: Buffer, events: FrameEvents): number {
    const close = bytes.indexOf(headEnd);
    if (close < 0) {
      if (bytes.length > headBytesMax) this.#break('its head does not end', events);
      return 0;
    }
    this.#state = 'chunks';
    const head = bytes.toString('latin1', 0, close);
    if (!events.onHead(head)) this.#state = 'over';
    else if (!/^transfer-encoding:[ \t]*chunked[ \t]*$/im.test(head)) this.#break('it is not chunked', events);
    return close + headEnd.length;
  }

  /** Where the next chunk begins; −1: this one is not whole yet. */
  #readChunk(bytes: Buffer, at: number, events: FrameEvents): number {
    const lineEnd = bytes.indexOf(newline, at);
    if (lineEnd < 0) return -1;
    const size = sizeOf(bytes, at, lineEnd);
    if (size < 0) {
      this.#break('a chunk without a size', events);
      return -1;
    }
    const from = lineEnd + 1;
    const until = from + size;
    if (bytes.length < until + 2) return -1;
    if (size === 0) {
      this.#state = 'over';
      events.onEnd();
      return until + 2;
    }
    if (bytes[until] !== carriageReturn || bytes[until + 1] !== newline) {
      this.#break('a chunk longer than its size', events);
      return -1;
    }
    this.#readLines(bytes, from, until, events);
    return until + 2;
  }

  #readLines(bytes: Buffer, from: number, until: number, events: FrameEvents): void {
    let at = from;
    while (at < until) {
      const found = bytes.indexOf(newline, at);
      const stop = found < 0 || found >= until ? until : found;
      const text = this.#line + bytes.toString('utf8', at, stop);
      if (stop === until) {
        this.#line = text;
        return;
      }
      this.#line = '';
      if (text !== '') events.onLine(text);
      at = stop + 1;
    }
  }

  #keep(bytes: Buffer, at: number, events: FrameEvents): void {
    const rest = bytes.length - at;
    if (this.#state === 'over' || rest === 0) {
      this.#held = undefined;
      return;
    }
    if (rest > heldBytesMax) return this.#break('a chunk that does not end', events);
    // A copy: the buffer belongs to the wire.
    this.#held = Buffer.from(bytes.subarray(at));
  }

  #break(what: string, events: FrameEvents): void {
    this.#state = 'over';
    events.onTrouble(what);
  }
}

/** A chunk's size, or −1; what stands behind a semicolon is not ours. */
function sizeOf(bytes: Buffer, from: number, until: number): number {
  let size = 0;
  let digits = 0;
  for (let at = from; at < until; at++) {
    const code = bytes[at] as number;
    if (code === carriageReturn || code === 0x3b) break;
    const digit = code >= 0x30 && code <= 0x39 ? code - 0x30 : (code | 0x20) >= 0x61 && (code | 0x20) <= 0x66 ? (code | 0x20) - 0x57 : -1;
    if (digit < 0 || ++digits > 8) return -1;
    size = size * 16 + digit;
  }
  return digits === 0 ? -1 : size;
}
