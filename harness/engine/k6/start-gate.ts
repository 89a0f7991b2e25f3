/** Holds every k6 process back until all of them have their VUs and the harness knows when the first phase starts. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type StartGate = {
  readonly url: string;
  /** As many processes as were announced wait. */
  readonly full: Promise<void>;
  /** Wall clock, milliseconds. */
  readonly open: (startAtMs: number) => void;
  readonly close: () => void;
};

export async function openStartGate(processes: number): Promise<StartGate> {
  const waiting: ServerResponse[] = [];
  const { promise: full, resolve } = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    waiting.push(response);
    if (waiting.length === processes) resolve();
  });
  // k6 may wait for as long as provisioning takes.
  server.requestTimeout = 0;
  server.timeout = 0;
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/start`,
    full,
    open: (startAtMs) => {
      for (const response of waiting) response.end(String(startAtMs));
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
