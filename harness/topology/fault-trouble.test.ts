import { expect, test } from 'vitest';
import type { Fault, System } from '#harness/scenario.ts';
import { faultTrouble } from './fault-trouble.ts';

const at = { phase: 'load', atSeconds: 1 } as const;
const drop = (how: 'fin' | 'rst'): Fault => ({ kind: 'drop-connections', how, ...at });
const model: System = { balancer: { kind: 'model', preset: 'classic-elb' } };
const haproxy: System = { balancer: { kind: 'haproxy' } };

test.each<[string, Fault, System | undefined, RegExp]>([
  ['without a system', drop('fin'), undefined, /^number 2 \(drop-connections\) needs system\.balancer/],
  ['without a balancer', drop('rst'), { nodes: 3 }, /needs system\.balancer/],
  ['haproxy and rst', drop('rst'), haproxy, /HAProxy ends its connections by fin only/],
  ['a node too many', { kind: 'kill-node', node: 2, ...at }, { nodes: 2 }, /names node 2, and system\.nodes is 2/],
  ['a second node of one', { kind: 'kill-node', node: 1, ...at }, undefined, /names node 1, and system\.nodes is 1/],
])('%s: said before the run', (_, fault, system, expected) => {
  const fine: Fault = { kind: 'restart-workers', ...at };
  expect(faultTrouble({ faults: [fine, fault], ...(system === undefined ? {} : { system }) })).toMatch(expected);
});

test('what the system has is no trouble', () => {
  const everywhere: Fault[] = [
    { kind: 'kill-worker', ...at },
    { kind: 'restart-workers', ...at },
    { kind: 'kill-node', ...at },
  ];
  expect(faultTrouble({})).toBeUndefined();
  expect(faultTrouble({ faults: everywhere })).toBeUndefined();
  expect(faultTrouble({ faults: [drop('rst'), drop('fin')], system: model })).toBeUndefined();
  expect(faultTrouble({ faults: [drop('fin'), { kind: 'kill-node', node: 1, ...at }], system: { ...haproxy, nodes: 2 } })).toBeUndefined();
});
