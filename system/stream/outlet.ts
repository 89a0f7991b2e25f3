/**
 * The socket of a stream without the HTTP that brought it. After its headers a stream needs neither request nor reply nor parser, and
 * they are what most of an idle connection's memory is. Node has no public way to take a socket out of its HTTP server but an upgrade; this
 * does by hand what Node's server does there (lib/_http_server.js, `onParserExecuteCommon`), and `outlet.contract.test.ts` watches that it still fits.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Parser = {
  _consumed?: boolean;
  socket: unknown;
  incoming: unknown;
  outgoing: unknown;
  onIncoming: unknown;
  readonly unconsume: () => void;
  readonly remove: () => void;
  readonly close: () => void;
  [slot: number]: unknown;
};
type HttpSocket = Socket & { parser?: Parser | null; _httpMessage?: unknown; _paused?: boolean };

/** Callbacks of a parser: on headers, complete, body, message, execute, timeout, begin. */
const parserSlots = 7;

/** To be called when the request is complete and nothing of the reply was written. Whatever the client still sends is thrown away. */
export function takeSocket(response: ServerResponse): Socket {
  const socket = response.socket as HttpSocket;
  response.detachSocket(socket);
  releaseParser(socket);
  socket.removeAllListeners();
  for (const wrapped of ['on', 'addListener', 'prependListener', 'setEncoding'] as const) delete (socket as Partial<Record<typeof wrapped, unknown>>)[wrapped];
  socket.setTimeout(0);
  socket.setNoDelay(true);
  socket.resume();
  return socket;
}

function releaseParser(socket: HttpSocket): void {
  const { parser } = socket;
  if (parser === undefined || parser === null) return;
  if (parser._consumed === true) parser.unconsume();
  for (let slot = 0; slot < parserSlots; slot++) parser[slot] = null;
  parser.socket = null;
  parser.incoming = null;
  parser.outgoing = null;
  parser.onIncoming = null;
  // Out of the list that the server's request timeout goes through.
  parser.remove();
  // As Node does it: never while the parser's native code may be on the stack.
  setImmediate(closeParser, parser);
  socket.parser = null;
}

const closeParser = (parser: Parser): void => parser.close();

/** One chunk of a chunked body. */
export function chunkOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  return Buffer.from(`${length.toString(16)}\r\n${text}\r\n`);
}

export const lastChunk = Buffer.from('0\r\n\r\n');
