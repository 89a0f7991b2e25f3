/** Entry of the counting receiver: answers at once, counts, and tells when it is asked. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { byDefault, carryOut, readHit } from './receiver.ts';
import { createCounter } from './receiver-counts.ts';
import type { FromReceiver, ToReceiver } from './start-receiver.ts';

const counter = createCounter();
const say = (message: FromReceiver): void => void process.send?.(message);
const server = createServer((request, response) => {
  readHit(request, (hit) => {
    carryOut(byDefault(hit, 0), hit, response);
    counter.add(hit);
  });
});
server.listen(0, process.argv[2] ?? '127.0.0.1', () => say({ kind: 'listening', port: (server.address() as AddressInfo).port }));
process.on('message', (message: ToReceiver) => {
  if (message.kind === 'expect') counter.expect(message.secret);
  else say({ kind: 'counts', id: message.id, counts: counter.read() });
});
// With whoever started it.
process.on('disconnect', () => process.exit(0));
