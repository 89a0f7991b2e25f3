/** Peers that are Node programs: each in a process of its own, whose first seconds (the compiler's) are driven and not measured. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Peer, PeerLoad, PeerOutcome } from './peer.ts';

export type NodePeerName = 'headroom' | 'undici' | 'autocannon';
export type FromNodePeer = { readonly kind: 'measuring' } | { readonly kind: 'outcome'; readonly outcome: PeerOutcome };
export type NodePeerInput = { readonly name: NodePeerName; readonly load: PeerLoad };

export const nodePeer = (name: NodePeerName): Peer => ({
  name,
  find: () => process.execPath,
  run: async (load, target, signal) => {
    const input: NodePeerInput = { name, load };
    const child = fork(fileURLToPath(new URL('./node-peer.ts', import.meta.url)), [JSON.stringify(input)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      signal,
      killSignal: 'SIGKILL',
    });
    let outcome: PeerOutcome | undefined;
    child.on('message', (message: FromNodePeer) => {
      if (message.kind === 'measuring') target.reset();
      else outcome = message.outcome;
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (outcome === undefined) throw new Error(`the peer ${name} ended with code ${code} and said nothing`);
    return outcome;
  },
});
