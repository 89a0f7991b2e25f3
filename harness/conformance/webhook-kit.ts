/** A service that may tell a receiver on this machine, and what the rules of webhooks do with both. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccountCredentials, secretAuthorization } from '#harness/topology/provision.ts';
import { byDefault, createReceiver, type Hit, type React, type Receiver } from '#harness/webhooks/receiver.ts';
import { confirmationType, type WebhookType } from '#system/protocol/webhooks.ts';
import type { Answer, Client } from './client.ts';
import { hold, type OtherService, type RuleContext } from './rule.ts';
import { eventually } from './user.ts';

export type Made = { readonly id: string; readonly secret: string };

export type WebhookWorld = {
  readonly other: OtherService;
  readonly receiver: Receiver;
  readonly ask: (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) => Promise<Answer>;
  readonly make: (url: string, types?: readonly WebhookType[]) => Promise<Made>;
  /** Of a path of the receiver, with its handshake done. */
  readonly makeActive: (path: string, types?: readonly WebhookType[]) => Promise<Made>;
  /** What was told at a path beside handshakes. */
  readonly told: (path: string) => readonly Hit[];
  readonly stateOf: (id: string) => Promise<string>;
  /** A device that was not there: one event. Comes back where it is shed. Resolves with when the request began that was taken. */
  readonly register: (device: string) => Promise<number>;
};

export const receiverHost = '127.0.0.1';
export const allowed = { HEADROOM_WEBHOOK_ALLOW_NETWORKS: `${receiverHost}/32` } as const;
const shedsMax = 10;
const json = { 'content-type': 'application/json' };

/** `env` beside what lets the service tell the receiver. */
export async function withWebhooks(
  { service }: Pick<RuleContext, 'service'>,
  settings: { readonly env?: Readonly<Record<string, string>>; readonly data?: string; readonly receiver?: Receiver },
  use: (world: WebhookWorld) => Promise<void>,
): Promise<void> {
  const receiver = settings.receiver ?? (await createReceiver({ host: receiverHost }));
  try {
    const env = { ...allowed, ...settings.env };
    await service?.withService({ env, ...(settings.data === undefined ? {} : { data: settings.data }) }, (other) => use(worldOf(other, receiver)));
  } finally {
    if (settings.receiver === undefined) await receiver.stop();
  }
}

function worldOf(other: OtherService, receiver: Receiver): WebhookWorld {
  const { client, account } = other;
  const ask = asking(client, account);
  const make: WebhookWorld['make'] = async (url, types = ['device.registered']) => {
    const made = await ask('POST', '/v1/webhooks', { url, types });
    const { webhook_id: id, secret, state } = made.json ?? {};
    hold(made.status === 201 && state === 'pending' && typeof id === 'string' && typeof secret === 'string', '201 pending with a secret', made.text);
    return { id, secret };
  };
  const stateOf = async (id: string): Promise<string> => String((await ask('GET', `/v1/webhooks/${id}`)).json?.state);
  return {
    other,
    receiver,
    ask,
    make,
    stateOf,
    makeActive: async (path, types) => {
      const made = await make(receiver.url(path), types);
      await eventually(`the handshake of ${path}`, async () => (await stateOf(made.id)) === 'active');
      return made;
    },
    told: (path) => receiver.at(path).filter(({ type }) => type !== confirmationType),
    register: async (device) => {
      for (let tries = 0; ; tries++) {
        const begunMs = performance.now();
        const answer = await client.register(secretAuthorization(account), device, { platform: 'android', app_version: '1' });
        if (answer.status === 201) return begunMs;
        // On a machine that is busy with others the service may shed registrations: that is not what these rules ask.
        hold(answer.status === 503 && tries < shedsMax, '201 for a new device', `${answer.status} ${answer.text}`);
        await sleep(Number(answer.header('retry-after') ?? 1) * 1000);
      }
    },
  };
}

const asking =
  (client: Client, account: AccountCredentials): WebhookWorld['ask'] =>
  (method, path, body) =>
    client.call(method, path, {
      headers: { authorization: secretAuthorization(account), ...(body === undefined ? {} : json) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

export const deviceOf = ({ data }: Hit): string => String(data.device_id);

/** A reaction to events; handshakes are echoed. */
export const toEvents =
  (react: React): React =>
  (hit, before) =>
    hit.type === confirmationType ? byDefault(hit, before) : react(hit, before);
