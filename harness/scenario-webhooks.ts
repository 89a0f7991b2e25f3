/** What has to fit together where a scenario has receivers of webhooks: each error names its place. Pure. */
import { offer } from '#harness/gates/nearest.ts';
import { webhookTypes } from '#system/protocol/webhooks.ts';
import { chainsOf, type Scenario, type WebhookReaction, type WebhookReceiver } from './scenario.ts';
import type { ScenarioError } from './scenario-schema.ts';

/** Of the contract: no account has more. */
const endpointsPerAccountMax = 20;
export const registeredType = 'device.registered';

export const endpointsOf = ({ endpointsPerAccount = 1 }: WebhookReceiver): number => endpointsPerAccount;
export const eventsOf = ({ events = [registeredType] }: WebhookReceiver): readonly string[] => events;
export const reactionOf = ({ reaction = { kind: 'ok' } }: WebhookReceiver): WebhookReaction => reaction;
/** It has everything in the end; the others may still be waited for when a run is over. */
export const takesAll = (receiver: WebhookReceiver): boolean => ['ok', 'recovers'].includes(reactionOf(receiver).kind);

export function webhookErrors({ webhooks = [], chains }: Scenario): readonly ScenarioError[] {
  if (webhooks.length === 0) return [];
  const names = webhooks.map(({ name }) => name);
  const errors: ScenarioError[] = [];
  for (const [index, receiver] of webhooks.entries()) {
    const path = `webhooks[${index}]`;
    if (names.indexOf(receiver.name) < index)
      errors.push({ path: `${path}.name`, message: `"${receiver.name}" is the name of webhooks[${names.indexOf(receiver.name)}] too` });
    for (const [at, type] of eventsOf(receiver).entries())
      if (!(webhookTypes as readonly string[]).includes(type))
        errors.push({ path: `${path}.events[${at}]`, message: `nobody is told of "${type}"${offer(type, webhookTypes)}` });
  }
  const endpoints = webhooks.reduce((sum, receiver) => sum + endpointsOf(receiver), 0);
  if (endpoints > endpointsPerAccountMax)
    errors.push({ path: 'webhooks', message: `an account has at most ${endpointsPerAccountMax} endpoints, and these would be ${endpoints}` });
  for (const [name, chain] of Object.entries(chainsOf(chains)))
    if (chain.includes('register-new') && chain.length > 1)
      errors.push({ path: `chains.${name}`, message: 'registers a device and does more: whether its webhook is due is known of "register-new" alone' });
  return errors;
}
