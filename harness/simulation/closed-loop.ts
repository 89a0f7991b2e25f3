// The control, for tests: connections that each wait for their answer before they send again, over the same wire, at the same rate where they can.
import { ResponseParser } from '#harness/engine/native/wire/response-parser.ts';
import { EventQueue } from './event-queue.ts';
import { createScriptedWire, type ScriptedServer } from './scripted-wire.ts';

export type ClosedLoopOptions = {
  readonly server: ScriptedServer;
  readonly connections: number;
  readonly ratePerSecond: number;
  readonly durationSeconds: number;
};

/** Latencies from the real send, in milliseconds, as such a tool reports them. */
export function runClosedLoop(options: ClosedLoopOptions): readonly number[] {
  const queue = new EventQueue();
  const wire = createScriptedWire({ queue, server: options.server, numbers: { connections: 0, requests: 0 }, seenAt: (atMs) => atMs });
  const everyMs = (1000 * options.connections) / options.ratePerSecond;
  const latenciesMs: number[] = [];
  for (let i = 0; i < options.connections; i++) {
    const parser = new ResponseParser();
    let sentAtMs = 0;
    const send = (): void => {
      if (queue.nowMs >= options.durationSeconds * 1000) return;
      parser.reset();
      sentAtMs = queue.nowMs;
      connection.write('GET / HTTP/1.1\r\n\r\n');
    };
    const connection = wire.connect({
      onOpen: () => queue.at((i * everyMs) / options.connections, send),
      onData: (buffer, start, end) => {
        if (parser.push(buffer, start, end) !== 'done') return;
        latenciesMs.push(queue.nowMs - sentAtMs);
        queue.at(Math.max(queue.nowMs, sentAtMs + everyMs), send);
      },
      onClose: () => {},
    });
  }
  queue.runUntil(options.durationSeconds * 1000 + 60_000);
  return latenciesMs.sort((a, b) => a - b);
}
