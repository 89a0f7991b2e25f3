/** What Node's HTTP server refuses before anybody is asked: as a problem, like all other refusals. */
import { type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type ProblemCode, problemDocument } from '#system/protocol/errors.ts';

/** `reason`: of Node's parser, one of its own texts. */
export type ClientError = Error & { readonly code?: string; readonly reason?: string };
/** The answer that Node's server is about to write there, which no public name leads to: its own handler looks here too. */
type Answering = Socket & { readonly _httpMessage?: ServerResponse | null };
type Refusal = { readonly code: ProblemCode; readonly detail: string; readonly requestId: string };

const codes: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
};

/**
 * Answers and closes the connection. What came before is answered first, since answers have an order and no other sign
 * of what they belong to. Who never said anything gets no answer: a client that holds a connection for later would take
 * it for the answer to its first request.
 */
export function refuseBytes(error: ClientError, socket: Socket, requestId: string): void {
  const pending = (socket as Answering)._httpMessage;
  if (pending?.req.complete === true && !socket.destroyed) {
    pending.once('close', () => refuseBytes(error, socket, requestId));
    return;
  }
  if (!socket.writable || socket.bytesRead === 0 || pending?.headersSent === true) {
    socket.destroySoon();
    return;
  }
  const code = codes[error.code ?? ''] ?? 'bad-request';
  socket.end(refusalText({ code, detail: detailOf(code, error), requestId }));
}

function detailOf(code: ProblemCode, { reason }: ClientError): string {
  if (code === 'headers-too-large') return 'Send less than 16 KiB of headers.';
  if (code === 'body-too-large') return 'Send chunks without extensions.';
  if (code === 'request-timeout') return 'The request was not whole in time: send it anew, at once.';
  return `The bytes are not an HTTP/1.1 request${reason === undefined ? '' : `: ${reason}`}.`;
}

function refusalText(refusal: Refusal): string {
  const document = problemDocument({ ...refusal, instance: '/' });
  const body = JSON.stringify(document);
  const lines = [
    `HTTP/1.1 ${document.status} ${STATUS_CODES[document.status]}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${refusal.requestId}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** What Node's server would answer by itself, without a problem: a tunnel that is asked for, and an expectation, which is judged with the rest of the head. */
export function refuseAsProblems(server: Server, newRequestId: () => string): void {
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('connect', (_, socket) => {
    socket.on('error', () => undefined);
    socket.end(refusalText({ code: 'not-implemented', detail: 'There are no tunnels through this service.', requestId: newRequestId() }));
  });
}
