/** Standard Webhooks 1.0.0: `v1` is HMAC-SHA256 over id, timestamp and body with dots between. */
import { createHmac, randomBytes } from 'node:crypto';
import { secretPrefix, webhookHeaders } from '#system/protocol/webhooks.ts';
import type { EndpointSecret, OutwardEvent } from '#system/store/store.ts';

const secretBytes = 32;

export const newSecret = (): string => `${secretPrefix}${randomBytes(secretBytes).toString('base64')}`;

export function sign(
  secret: string,
  { id, timestampSeconds, body }: { readonly id: string; readonly timestampSeconds: number; readonly body: string },
): string {
  const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`;
}

export const secretsAt = (secrets: readonly EndpointSecret[], nowMs: number): readonly EndpointSecret[] =>
  secrets.filter(({ untilMs = Number.POSITIVE_INFINITY }) => untilMs > nowMs);

/** Signed with all of these secrets: those that hold at the time of the attempt. `nowMs` is the wall clock's, since others compare it. */
export function signedHeaders(event: OutwardEvent, secrets: readonly EndpointSecret[], nowMs: number): Readonly<Record<string, string>> {
  const timestampSeconds = Math.floor(nowMs / 1000);
  const signatures = secrets.map(({ secret }) => sign(secret, { id: event.id, timestampSeconds, body: event.body }));
  return {
    'content-type': 'application/json',
    'user-agent': 'Headroom-Webhooks/1',
    [webhookHeaders.id]: event.id,
    [webhookHeaders.timestamp]: String(timestampSeconds),
    [webhookHeaders.signature]: signatures.join(' '),
  };
}
