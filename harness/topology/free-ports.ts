/**
 * Ports to listen on that stay ours. A node that is killed has to come back on its port, and the clients who reconnect meanwhile take
 * thousands of the kernel's ephemeral range, each for minutes; outside it nobody is given a port who does not ask for it. Beside
 * tens of thousands of connections there may be none left in that range to listen on at all: port 0 was EADDRINUSE then.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const rangeBegin = 15_000;
const rangeEnd = 60_000;
/** Where the machine's range leaves fewer than this below it, ports are taken from within. */
const choiceMin = 1000;
const triesMax = 200;

/** First of the ports that the kernel gives to those who connect; Linux's own default where it cannot be read. */
export function ephemeralBegin(text = readRange()): number {
  const begin = Number.parseInt(text ?? '', 10);
  return Number.isNaN(begin) ? 32_768 : begin;
}

function readRange(): string | undefined {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  } catch {
    return undefined;
  }
}

/** Each is free on all of the hosts now. Somebody else may take one before it is listened on: whoever starts then says so. */
export async function freePorts(count: number, hosts: readonly string[] = ['127.0.0.1']): Promise<readonly number[]> {
  const end = ephemeralBegin() - rangeBegin >= choiceMin ? ephemeralBegin() : rangeEnd;
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries === triesMax) throw new Error(`no ${count} free ports were found from ${rangeBegin} to ${end}`);
    const port = rangeBegin + Math.floor(Math.random() * (end - rangeBegin));
    const free = await Promise.all(hosts.map((host) => isFree(port, host)));
    if (free.every(Boolean)) found.add(port);
  }
  return [...found];
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
