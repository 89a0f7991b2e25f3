/** Entry of the counting receiver: answers, counts, and tells when it is asked; of endpoints that it was given it tells each second. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { leaveTerminalSignals } from '#harness/end-signals.ts';
import { createNumbering } from '#harness/engine/message-row.ts';
import { createRunClock } from '#harness/engine/native/run-clock.ts';
import { Stops } from '#harness/engine/native/stops.ts';
import { watchThread } from '#harness/engine/native/thread-lag.ts';
import { byDefault, carryOut, type Hit, readHit } from './receiver.ts';
import { ReceiverBook } from './receiver-book.ts';
import { createCounter } from './receiver-counts.ts';
import type { FromReceiver, ToReceiver } from './start-receiver.ts';

const lookEveryMs = 10;
const spoiledAboveMs = 50;

const counter = createCounter();
const book = new ReceiverBook();
const say = createNumbering<FromReceiver>((numbered) => void process.send?.(numbered, undefined, undefined, () => undefined));
let observe: () => void = () => undefined;
let handOver: () => void = () => undefined;

function tell(hit: Hit, response: ServerResponse): void {
  if (!book.has(hit.path)) {
    carryOut(byDefault(hit, 0), hit, response);
    return counter.add(hit);
  }
  const over = book.attempt(hit);
  response.once('close', () => over(response.writableFinished && response.statusCode < 300));
  const visit = book.visitOf(hit);
  carryOut(book.reactionTo(hit), hit, response);
  if (visit !== undefined) say({ kind: 'visit', path: hit.path, url: visit });
}

const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  readHit(request, (hit) => {
    observe();
    tell(hit, response);
  });
});
server.listen(0, process.argv[2] ?? '127.0.0.1', () => say({ kind: 'listening', port: (server.address() as AddressInfo).port }));

function begin(originNs: bigint): void {
  const nowMs = createRunClock(originNs);
  const stops = new Stops({ spoiledAboveMs, sleepMaxMs: lookEveryMs, nowMs: nowMs() });
  const takeLag = watchThread({ ms: 0 });
  let second = Math.floor(nowMs() / 1000);
  book.begin({ nowMs, originWallMs: Date.now() - nowMs(), touched: (sinceMs) => stops.touched(sinceMs) });
  observe = () => void stops.observe(nowMs());
  handOver = () => {
    say({ kind: 'delta', delta: { cells: book.take(), lag: { worker: 0, second, ...stops.takeLag(), ...takeLag() } } });
    second = Math.floor(nowMs() / 1000);
  };
  setInterval(() => {
    observe();
    if (Math.floor(nowMs() / 1000) > second) handOver();
  }, lookEveryMs);
}

process.on('message', (message: ToReceiver) => {
  switch (message.kind) {
    case 'expect':
      return message.path === undefined ? counter.expect(message.secret) : book.expect(message.path, message.secret);
    case 'serve':
      return book.serve(message.endpoints);
    case 'begin':
      return begin(BigInt(message.originNs));
    case 'phase':
      return book.phase(message.phase, message.startMs);
    case 'read':
      return say({ kind: 'answer', id: message.id, answer: counter.read() });
    case 'arrivals':
      return say({ kind: 'answer', id: message.id, answer: message.paths.map((path) => ({ path, ...book.arrivals(path, message.type) })) });
    case 'hand-over':
      handOver();
      return say({ kind: 'answer', id: message.id, answer: undefined });
  }
});
// With whoever started it.
process.on('disconnect', () => process.exit(0));
leaveTerminalSignals();
