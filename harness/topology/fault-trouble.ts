/** Whether what a scenario does to its service can be done to the system that it starts. Pure, so that it is said before a run. */
import type { Fault, Scenario, System } from '#harness/scenario.ts';

/** A sentence about the first fault that cannot be had. */
export function faultTrouble({ faults = [], system = {} }: Pick<Scenario, 'faults' | 'system'>): string | undefined {
  for (const [index, fault] of faults.entries()) {
    const trouble = troubleWith(fault, system);
    if (trouble !== undefined) return `number ${index + 1} (${fault.kind}) ${trouble}`;
  }
  return undefined;
}

/** What is wrong with one fault, to follow its name. */
export function troubleWith(fault: Fault, { balancer, nodes = 1 }: System): string | undefined {
  if (fault.kind === 'drop-connections' && balancer === undefined)
    return 'needs system.balancer: nothing stands before the service that could end its connections';
  if (fault.kind === 'drop-connections' && fault.how === 'rst' && balancer?.kind === 'haproxy')
    return 'asks for rst, and HAProxy ends its connections by fin only: take how fin, or the model balancer';
  if (fault.kind === 'kill-node' && (fault.node ?? 0) >= nodes) return `names node ${fault.node}, and system.nodes is ${nodes}: they are counted from 0`;
  return undefined;
}
