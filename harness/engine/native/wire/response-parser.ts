/**
 * Reads one HTTP/1.1 answer at a time from bytes that may be split or glued anywhere (RFC 9112). Strict where leniency would let two
 * readers disagree on where an answer ends: that is the one thing a load generator must not get wrong. The usual answer, whole in
 * one read with a content-length, takes one pass over its head and two string copies.
 */
import { bodyBytesMax, headOf } from './response-head.ts';

/** Node's own servers send at most 16 KiB; a head beyond this is not an answer of any contract. */
const headCharsMax = 65_536;

type State = 'head' | 'body-length' | 'body-until-close' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailer' | 'done' | 'broken';

const malformed = (what: string): string => `malformed answer: ${what}`;
const chunkSizeLine = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/;

export class ResponseParser {
  status = 0;
  /** Of a complete answer. */
  body = '';
  /** Whether the connection can carry another request. */
  keepAlive = false;
  /** Set where `push` has answered `broken`. */
  trouble = '';
  #state: State = 'head';
  #head = '';
  #line = '';
  #left = 0;
  #bodyBytes = 0;
  #parts: Buffer[] = [];

  /** For the next answer of the connection. */
  reset(): void {
    this.status = 0;
    this.body = '';
    this.trouble = '';
    this.#state = 'head';
    this.#head = '';
    this.#line = '';
    this.#bodyBytes = 0;
    if (this.#parts.length > 0) this.#parts = [];
  }

  /** Whether a byte of this answer has been seen. */
  get begun(): boolean {
    return this.#state !== 'head' || this.#head !== '';
  }

  /**
   * Takes bytes up to the end of the answer. Bytes behind it are a broken server's, since nothing else was asked: the answer is `done`
   * and the connection not to be used again.
   */
  push(buffer: Buffer, start: number, end: number): 'more' | 'done' | 'broken' {
    let at = start;
    while (at < end && this.#state !== 'done' && this.#state !== 'broken') at = this.#step(buffer, at, end);
    if (this.#state === 'done' && at < end) this.keepAlive = false;
    return this.#state === 'done' || this.#state === 'broken' ? this.#state : 'more';
  }

  /** The peer has ended the connection: an answer without a length is complete by that. */
  end(): 'done' | 'broken' {
    if (this.#state === 'body-until-close') return this.#finish(this.#takeBody()) as 'done';
    this.#break('it was cut');
    return 'broken';
  }

  /** Value of a header, its name in lower case; several of one name are joined as RFC 9110 §5.3 says. */
  header(name: string): string | undefined {
    let found: string | undefined;
    for (const line of this.#head.split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      if (colon !== name.length || line.slice(0, colon).toLowerCase() !== name) continue;
      const value = line.slice(colon + 1).trim();
      found = found === undefined ? value : `${found}, ${value}`;
    }
    return found;
  }

  /** Consumes something and says where it stands: always forward, or `#state` is final. */
  #step(buffer: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(buffer, at, end);
      case 'body-length':
      case 'chunk-data':
        return this.#readCounted(buffer, at, end);
      case 'body-until-close':
        return this.#keep(buffer, at, end);
      default:
        return this.#readLine(buffer, at, end);
    }
  }

  #readHead(buffer: Buffer, at: number, end: number): number {
    const before = this.#head.length;
    // The head's end may be split over reads: look again at the last three characters.
    const text = this.#head + buffer.toString('latin1', at, end);
    const close = text.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (close === -1) {
      this.#head = text;
      if (text.length > headCharsMax) this.#break('its head does not end');
      return end;
    }
    this.#head = text.slice(0, close);
    const bodyAt = at + close + 4 - before;
    this.#beginBody();
    // The usual case at once: all of the body is here.
    if (this.#state === 'body-length' && end - bodyAt >= this.#left) {
      this.#finish(buffer.toString('utf8', bodyAt, bodyAt + this.#left));
      return bodyAt + this.#left;
    }
    return bodyAt;
  }

  #beginBody(): void {
    const { status, keepAlive, framing } = headOf(this.#head);
    this.status = status;
    this.keepAlive = keepAlive;
    if (framing.kind === 'length') {
      this.#left = framing.bytes;
      if (framing.bytes === 0) this.#finish('');
      else this.#state = 'body-length';
    } else if (framing.kind === 'chunked') this.#state = 'chunk-size';
    else if (framing.kind === 'until-close') this.#state = 'body-until-close';
    else if (framing.kind === 'interim') this.reset();
    else this.#break(framing.what);
  }

  #readCounted(buffer: Buffer, at: number, end: number): number {
    const taken = Math.min(this.#left, end - at);
    this.#keep(buffer, at, at + taken);
    this.#left -= taken;
    if (this.#left === 0 && this.#state !== 'broken') {
      if (this.#state === 'chunk-data') this.#state = 'chunk-end';
      else this.#finish(this.#takeBody());
    }
    return at + taken;
  }

  /** Lines of the chunked coding: sizes, the empty one behind each chunk, trailers. */
  #readLine(buffer: Buffer, at: number, end: number): number {
    const newline = buffer.indexOf(0x0a, at);
    const stop = newline === -1 || newline >= end ? end : newline + 1;
    this.#line += buffer.toString('latin1', at, stop);
    if (this.#line.length > headCharsMax) this.#break('a line does not end');
    else if (this.#line.endsWith('\n')) {
      const line = this.#line;
      this.#line = '';
      if (line.endsWith('\r\n')) this.#takeLine(line.slice(0, -2));
      else this.#break('a line without a carriage return');
    }
    return stop;
  }

  #takeLine(line: string): void {
    if (this.#state === 'chunk-end') {
      if (line !== '') return this.#break('a chunk longer than its size');
      this.#state = 'chunk-size';
      return;
    }
    if (this.#state === 'trailer') {
      if (line === '') this.#finish(this.#takeBody());
      return;
    }
    const size = chunkSizeLine.exec(line);
    if (size === null) return this.#break('a chunk size');
    this.#left = Number.parseInt(size[1]!, 16);
    this.#state = this.#left === 0 ? 'trailer' : 'chunk-data';
  }

  #keep(buffer: Buffer, at: number, end: number): number {
    this.#bodyBytes += end - at;
    if (this.#bodyBytes > bodyBytesMax) this.#break('its body does not end');
    // A copy: the buffer belongs to the wire.
    else this.#parts.push(Buffer.from(buffer.subarray(at, end)));
    return end;
  }

  #takeBody(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }

  #finish(body: string): State {
    this.body = body;
    this.#state = 'done';
    return this.#state;
  }

  #break(what: string): void {
    this.trouble = malformed(what);
    this.keepAlive = false;
    this.#state = 'broken';
  }
}
