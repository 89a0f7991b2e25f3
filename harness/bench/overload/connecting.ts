/** What a connection costs this process, to open and to close: by the engine's own wire, beside so many others that are open. */
import { setImmediate as turn } from 'node:timers/promises';
import { openWires } from '#harness/engine/native/wire/open-wires.ts';
import type { Wire, WireConnection, Wires } from '#harness/engine/native/wire/wire.ts';
import { startBucket } from './plan.ts';

const measured = 4000;
const atOnce = 32;

async function openSome(wires: Wires, count: number): Promise<readonly WireConnection[]> {
  let open = 0;
  const connections: WireConnection[] = [];
  const [wire] = wires.of as [Wire];
  const events = {
    onOpen: () => {
      open++;
    },
    onData: () => undefined,
    onClose: (code: string) => {
      if (code !== 'closed') throw new Error(`a connection to the target of the bench ended: ${code}`);
    },
  };
  while (connections.length < count) {
    const until = Math.min(count, connections.length + atOnce);
    while (connections.length < until) connections.push(wire.connect(events));
    while (open < until) await look(wires);
  }
  return connections;
}

/** Sockets get on, and the runtime too. */
async function look(wires: Wires): Promise<void> {
  wires.sleep?.(performance.now() + 1, 'until-bytes');
  await turn();
}

export async function connectMicrosOf(held: number): Promise<number> {
  const target = await startBucket();
  const wires = await openWires({
    targets: [{ host: '127.0.0.1', port: target.port, pathPrefix: '' }],
    nowMs: () => performance.now(),
    choice: 'auto',
  });
  try {
    const kept = await openSome(wires, held);
    const before = process.cpuUsage();
    for (let done = 0; done < measured; done += atOnce) {
      for (const connection of await openSome(wires, atOnce)) connection.close();
      await look(wires);
    }
    const { user, system } = process.cpuUsage(before);
    for (const connection of kept) connection.close();
    return (user + system) / measured;
  } finally {
    wires.end();
    await target.stop();
  }
}
