/** A server for tests that keeps its word: what it acknowledges it has, and what it cuts it has not. It is slow, and every so many requests it cuts one. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type TruthfulServer = {
  readonly port: number;
  /** Ids of events, as they were stored. */
  readonly stored: readonly string[];
  /** Resolves when so many requests have been answered or cut. */
  readonly ended: (requests: number) => Promise<void>;
  readonly stop: () => void;
};

export type TruthfulOptions = { readonly delayMs: number /** 0: none. */; readonly cutEvery: number };

export async function startTruthfulServer({ delayMs, cutEvery }: TruthfulOptions): Promise<TruthfulServer> {
  const stored: string[] = [];
  const waiting: { readonly requests: number; readonly resolve: () => void }[] = [];
  let begun = 0;
  let ended = 0;
  const end = (): void => {
    ended++;
    for (const { requests, resolve } of waiting) if (ended >= requests) resolve();
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const isCut = cutEvery > 0 && ++begun % cutEvery === 0;
    void text(request).then((body) =>
      setTimeout(() => {
        if (isCut) request.socket.destroy();
        else acknowledge(body, response, stored);
        end();
      }, delayMs),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stored,
    ended: (requests) => new Promise((resolve) => (ended >= requests ? resolve() : waiting.push({ requests, resolve }))),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function acknowledge(body: string, response: ServerResponse, stored: string[]): void {
  const events = JSON.parse(body) as readonly { readonly id: string }[];
  for (const { id } of events) stored.push(id);
  const answer = { accepted: events.length, duplicate: 0, rejected: [], position: String(stored.length), durability: 'fsync' };
  response.writeHead(202, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
}
