/** What is told to webhooks, by Standard Webhooks 1.0.0. */

export const webhookTypes = [
  'device.registered',
  'device.updated',
  'device.deleted',
  'device.online',
  'device.offline',
  'location.latest',
  'usage.spike',
] as const;
export type WebhookType = (typeof webhookTypes)[number];

/** Of the handshake, and of what `…/test` sends: nobody subscribes to them. */
export const confirmationType = 'webhook.confirmation';
export const testType = 'webhook.test';

export const webhookHeaders = { id: 'webhook-id', timestamp: 'webhook-timestamp', signature: 'webhook-signature' } as const;
export const secretPrefix = 'whsec_';
export const webhookUrlCharactersMax = 2000;
export const deliveriesPageMax = 100;
export const overlapSecondsMax = 604_800;
