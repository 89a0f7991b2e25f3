/** A DNS server (RFC 1035, over UDP) that answers each question for an IPv4 address with the next of a script: what rebinding looks like from the service's side. */
import { createSocket } from 'node:dgram';

export type NameServer = {
  /** As host:port. */
  readonly address: string;
  /** How often an IPv4 address was asked for. */
  readonly asked: () => number;
  readonly stop: () => Promise<void>;
};

const headerBytes = 12;
const typeA = 1;

/** `addressOf`: the IPv4 address for the n-th question, counted from 0. */
export async function startNameServer(addressOf: (n: number) => string): Promise<NameServer> {
  const socket = createSocket('udp4');
  let asked = 0;
  socket.on('message', (question, { port, address }) => {
    const end = question.indexOf(0, headerBytes) + 5;
    const isA = question.readUInt16BE(end - 4) === typeA;
    socket.send(answerTo(question.subarray(0, end), isA ? addressOf(asked++) : undefined), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked: () => asked,
    stop: () => new Promise((resolve) => socket.close(resolve)),
  };
}

/** With a time to live of 0; without an address where there is none of this kind. */
function answerTo(question: Buffer, address: string | undefined): Buffer {
  const header = Buffer.alloc(headerBytes);
  question.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(address === undefined ? 0 : 1, 6);
  const parts = [header, question.subarray(headerBytes)];
  // The name of the question, type A, class IN, time to live, four bytes.
  if (address !== undefined) parts.push(Buffer.from([0xc0, headerBytes, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]));
  return Buffer.concat(parts);
}
