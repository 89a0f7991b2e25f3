/** What a scenario does to the service while it is under load. */
import type { Fault, System } from '#harness/scenario.ts';
import { troubleWith } from './fault-trouble.ts';
import type { Front } from './front.ts';
import type { ServiceNode } from './service-node.ts';

export type Suffering = { readonly system: System; readonly nodes: readonly ServiceNode[]; readonly front: Front | undefined };

/** Resolves when it is done: the others are back. Rejects with a sentence where it cannot be done. */
export async function inflict(fault: Fault, { system, nodes, front }: Suffering): Promise<void> {
  const trouble = troubleWith(fault, system);
  if (trouble !== undefined) throw new Error(`${fault.kind} ${trouble}`);
  if (fault.kind === 'drop-connections') await front?.dropAll(fault.how);
  else if (fault.kind === 'kill-worker') await nodes[0]?.killWorker();
  else if (fault.kind === 'kill-node') await nodes[fault.node ?? 0]?.killAndRestart();
  else for (const node of nodes) await node.restartWorkers();
}

const wordsOf: Readonly<Record<Fault['kind'], string>> = {
  'drop-connections': 'drop its connections',
  'kill-worker': 'kill a worker of it',
  'kill-node': 'kill a node of it',
  'restart-workers': 'restart its workers',
};

export async function refuse({ kind }: Fault): Promise<void> {
  throw new Error(`this run did not start the service, so it cannot ${wordsOf[kind]}`);
}
