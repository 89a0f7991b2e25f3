/** The probe's requests, by node's own HTTP client, and their times: it shares no timing code with the engine. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { OperationRequest } from '#harness/target/operation.ts';
import type { ProbeInput } from './messages.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly serviceMicros: number;
};

/** `onWritten` is called where the first byte goes out. Rejects where no whole answer came within the timeout. */
export type Send = (built: OperationRequest, onWritten: () => void) => Promise<Answer>;

export function createSender({ target, openMax, timeoutMs }: Pick<ProbeInput, 'target' | 'openMax' | 'timeoutMs'>): Send {
  const { host, port, tls, pathPrefix } = target;
  // The one used last: a quiet probe has one connection, and one that waits for answers as many as it waits for.
  const options = { keepAlive: true, maxSockets: openMax, scheduling: 'lifo' as const };
  const agent =
    tls === undefined
      ? new HttpAgent(options)
      : new HttpsAgent({ ...options, servername: tls.serverName ?? '', ...(tls.ca === undefined ? {} : { ca: tls.ca }) });
  const send = tls === undefined ? httpRequest : httpsRequest;
  return ({ method, path, headers: lines, body: payload }, onWritten) =>
    new Promise((resolve, reject) => {
      const headers = { ...headersOf(lines), 'Content-Length': String(Buffer.byteLength(payload)) };
      let writtenNs = 0n;
      const outgoing = send({ agent, host, port, method, path: pathPrefix + path, headers }, (incoming) => {
        let body = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          body += chunk;
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          const serviceMicros = Number(process.hrtime.bigint() - writtenNs) / 1000;
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body, serviceMicros });
        });
      });
      // Times from the write on a connection that is open: connecting is not service.
      outgoing.on('socket', (socket) => {
        const start = () => {
          writtenNs = process.hrtime.bigint();
          onWritten();
          outgoing.end(payload);
        };
        if (socket.connecting) socket.once(tls === undefined ? 'connect' : 'secureConnect', start);
        else start();
      });
      const timer = setTimeout(() => outgoing.destroy(new Error('timed out')), timeoutMs);
      outgoing.on('error', reject);
      outgoing.on('close', () => {
        clearTimeout(timer);
        reject(new Error('closed before the answer was whole'));
      });
    });
}

const headersOf = (lines: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
