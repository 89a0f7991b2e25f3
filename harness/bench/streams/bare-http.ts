/** The peer: a bare node:http server that holds streams and writes one line to each, 256 a turn. Spoken to over IPC. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const writesPerTurn = 256;
const held = new Set<ServerResponse>();
/** Its own, which the runtime counts among the delay; the service takes it off too. */
const resolutionMs = 10;
const delay = monitorEventLoopDelay({ resolution: resolutionMs });
delay.enable();

const server = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' });
  response.write('{"t":"hello"}\n');
  held.add(response);
  response.once('close', () => held.delete(response));
});
server.maxConnections = 100_000;

async function broadcast(line: string): Promise<void> {
  const bytes = Buffer.from(line);
  let writes = 0;
  for (const response of held) {
    response.write(bytes);
    if (++writes % writesPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

process.on('message', (message: { readonly kind: 'broadcast'; readonly line: string } | { readonly kind: 'delay' }) => {
  if (message.kind === 'broadcast') void broadcast(message.line);
  else {
    process.send?.({ kind: 'delay', maxMs: Math.max(0, delay.max / 1e6 - resolutionMs) });
    delay.reset();
  }
});
process.on('disconnect', () => process.exit(0));
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => process.send?.({ kind: 'listening', port: (server.address() as AddressInfo).port }));
