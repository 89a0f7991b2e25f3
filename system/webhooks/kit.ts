/** The parts as the app and the workers share them; a twin hands in others. */
import { createGuard, type Guard } from './guard.ts';
import { createResolve, type Resolve } from './resolve.ts';
import { createSend, type Send } from './send.ts';
import type { WebhookSettings } from './settings.ts';

export type WebhookKit = { readonly settings: WebhookSettings; readonly guard: Guard; readonly resolve: Resolve; readonly send: Send };

export function createWebhookKit(settings: WebhookSettings): WebhookKit {
  const guard = createGuard(settings.allowedNetworks);
  const resolve = createResolve(settings.dnsServer);
  return { settings, guard, resolve, send: createSend({ guard, resolve, timeoutMs: settings.timeoutMs }) };
}
