/** Targets of benches as processes of their own: started, asked what they saw, stopped. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

type Said<Report> = { readonly kind: 'listening'; readonly port: number } | { readonly kind: 'report'; readonly report: Report };

export type TargetProcess<Report> = {
  readonly port: number;
  readonly report: () => Promise<Report>;
  readonly stop: () => Promise<void>;
};

export async function startTargetProcess<Report>(file: URL, args: readonly string[] = []): Promise<TargetProcess<Report>> {
  const child = fork(fileURLToPath(file), args, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const hear = async (): Promise<Said<Report>> => (await once(child, 'message'))[0] as Said<Report>;
  const listening = await hear();
  if (listening.kind !== 'listening') throw new Error('a target said what it saw before it listened');
  return {
    port: listening.port,
    report: async () => {
      child.send('report');
      const message = await hear();
      if (message.kind !== 'report') throw new Error('a target said twice that it listens');
      return message.report;
    },
    stop: async () => {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** The other side: listens, hands over each segment of bytes (a bench's request is one), and ends with whoever started it. */
export function serveAsProcess(onRequest: (socket: Socket) => void, reportOf: (connections: number) => unknown): void {
  let connections = 0;
  const say = (message: Said<unknown>): void => void process.send?.(message);
  const server = createServer({ noDelay: true }, (socket) => {
    connections++;
    socket.on('error', () => socket.destroy());
    socket.on('data', () => onRequest(socket));
  });
  process.on('message', () => say({ kind: 'report', report: reportOf(connections) }));
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches the whole group; the bench decides.
  process.on('SIGINT', () => undefined);
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    const address = server.address();
    if (address !== null && typeof address === 'object') say({ kind: 'listening', port: address.port });
  });
}
