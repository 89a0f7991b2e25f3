/** What a run against any URL drives: one operation, by connections that have no names. */
import type { Provisioned } from '#harness/run-provision.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';
import type { Verified } from '#harness/verify.ts';
import { urlOperation } from './url-operations.ts';
import type { UrlRequest } from './url-request.ts';

/** Which operations the engine's threads and the probe load, and which of them the probe sends. */
export type LoadModule = { readonly operationsModule: string; readonly operationsData?: unknown; readonly probeOperation: string };

export const contractLoad: LoadModule = { operationsModule: '#harness/target/operations.ts', probeOperation: 'ingest' };

export const urlLoad = (request: UrlRequest): LoadModule => ({
  operationsModule: '#harness/url/url-operations.ts',
  operationsData: request,
  probeOperation: urlOperation,
});

/** Nobody has to be made known to a service of which nothing is known. */
export function namelessFleet(devices: number): Provisioned {
  const nameless = (name: string): DeviceCredentials => ({ deviceId: name, token: '', secret: '', publishable: '' });
  return { devices: Array.from({ length: devices }, (_, i) => nameless(`c-${i}`)), probeDevice: nameless('probe'), listening: undefined };
}

/** What such a service has kept nobody can ask. */
export const nothingVerified: Verified = { ledger: undefined, evidence: [], changes: [], webhookEvents: [], items: undefined, webhooks: undefined };
