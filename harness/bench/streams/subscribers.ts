/** Many that listen, in one process: raw sockets that count what they got. Spoken to over IPC. */
import { connect, type Socket } from 'node:net';

type Command =
  | { readonly kind: 'open'; readonly port: number; readonly count: number; readonly request: string }
  | { readonly kind: 'count' }
  | { readonly kind: 'close' };

const marker = Buffer.from('"t":"put"');
/** So many connect at a time: a backlog that overflows would cost a second's retry. */
const opensAtOnce = 256;
const sockets: Socket[] = [];
let frames = 0;
let cut = 0;

function openOne(port: number, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(request));
    sockets.push(socket);
    socket.once('error', reject);
    socket.on('data', (bytes: Buffer) => {
      for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + marker.length)) frames++;
    });
    socket.once('data', () => resolve());
    socket.once('close', () => cut++);
  });
}

async function openAll({ port, count, request }: Extract<Command, { kind: 'open' }>): Promise<void> {
  for (let opened = 0; opened < count; opened += opensAtOnce)
    await Promise.all(Array.from({ length: Math.min(opensAtOnce, count - opened) }, () => openOne(port, request)));
  process.send?.({ kind: 'opened' });
}

process.on('message', (message: Command) => {
  if (message.kind === 'open') openAll(message).catch((error: Error) => process.send?.({ kind: 'failed', text: error.message }));
  else if (message.kind === 'count') process.send?.({ kind: 'count', frames, cut });
  else {
    for (const socket of sockets.splice(0)) socket.destroy();
    process.send?.({ kind: 'closed' });
  }
});
process.on('disconnect', () => process.exit(0));
