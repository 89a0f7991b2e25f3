/**
 * Port 0, settled once for all workers and kept. Workers that listened on 0 by themselves would each name the socket they share by that 0,
 * and the number would be lost with the last of them; a number that was only found might be somebody else's before they listen.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Config } from '#system/config.ts';

type Ports = Pick<Config, 'port' | 'adminPort' | 'proxyPort'>;

const attemptsMax = 20;
const portVariable = 'HEADROOM_BOUND_PORT';
const adminPortVariable = 'HEADROOM_BOUND_ADMIN_PORT';
const proxyPortVariable = 'HEADROOM_BOUND_PROXY_PORT';

/** The ports that were asked for, each 0 replaced by one that is this process's until it ends. */
export async function settlePorts({ hosts, port, adminPort, proxyPort, proxyProtocol }: Config): Promise<Ports> {
  return {
    port: port === 0 ? await holdOne(hosts) : port,
    adminPort: adminPort === 0 ? await holdOne(['127.0.0.1']) : adminPort,
    proxyPort: proxyPort === 0 && proxyProtocol !== 'off' ? await holdOne(hosts) : proxyPort,
  };
}

/** One port that is free on all `hosts`. */
export async function holdOne(hosts: readonly string[]): Promise<number> {
  const [first, ...others] = hosts as [string, ...string[]];
  for (let attempt = 1; ; attempt++) {
    const port = await hold(first, 0);
    try {
      for (const host of others) await hold(host, port);
      return port;
    } catch (error) {
      if (attempt === attemptsMax || (error as { code?: string }).code !== 'EADDRINUSE') throw error;
    }
  }
}

/**
 * A connection to itself: its accepted end stands on the port, so that the kernel gives it to nobody who takes any, while a listener that asks
 * for it by number gets it (both reuse the address, and neither listens).
 */
async function hold(host: string, asked: number): Promise<number> {
  const server = createServer();
  await once(server.listen(asked, host), 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect(port, host);
  const [[socket]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown];
  for (const end of [socket, client]) end.on('error', () => undefined).unref();
  server.close();
  return port;
}

export const portEnvironment = ({ port, adminPort, proxyPort }: Ports): Readonly<Record<string, string>> => ({
  [portVariable]: String(port),
  [adminPortVariable]: String(adminPort),
  [proxyPortVariable]: String(proxyPort),
});

/** In a worker: the ports that its supervisor settled. */
export function withSettledPorts(config: Config, environment: Readonly<Record<string, string | undefined>>): Config {
  return {
    ...config,
    port: Number(environment[portVariable] ?? config.port),
    adminPort: Number(environment[adminPortVariable] ?? config.adminPort),
    proxyPort: Number(environment[proxyPortVariable] ?? config.proxyPort),
  };
}
