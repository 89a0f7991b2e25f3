/** The service that a scenario is driven against: its own, started as the scenario describes it, or one that is there. */
import { join } from 'node:path';
import { accountsWanted } from '#harness/fleet-accounts.ts';
import type { Scenario } from '#harness/scenario.ts';
import { scaleOf } from '#harness/scenario-clock.ts';
import { openUrl } from '#harness/url/open-url.ts';
import type { UrlRequest } from '#harness/url/url-request.ts';
import { attachTarget, startTarget, type Target } from './target.ts';

export type Opening = {
  readonly scenario: Scenario;
  readonly target?: { readonly url: string; readonly credentialsFile: string } | undefined;
  readonly request?: Pick<UrlRequest, 'origin'> | undefined;
};

/** The receiver is on this machine, which the service would not tell otherwise. */
const receiverSettings = { 'webhook-allow-networks': '127.0.0.1/32' };

/** `folder`: for data and logs. */
export function openTarget({ scenario, target, request }: Opening, folder: string): Promise<Target> {
  if (request !== undefined) return openUrl(request.origin);
  if (target !== undefined) return attachTarget(target);
  const { system: own = {}, fleet } = scenario;
  const system = scenario.webhooks === undefined ? own : { ...own, settings: { ...receiverSettings, ...own.settings } };
  return startTarget({
    system,
    scale: scaleOf(scenario),
    accounts: accountsWanted(fleet),
    folder: join(folder, 'data'),
    logFile: join(folder, 'service.log'),
  });
}
