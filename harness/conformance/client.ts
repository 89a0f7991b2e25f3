/** HTTP as the checks ask it: every status is an answer, none is thrown. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type AccountCredentials, publishableAuthorization } from '#harness/topology/provision.ts';
import { hold } from './rule.ts';

export type Answer = {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly text: string;
  /** Undefined where the body is not JSON. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
};

export type Asking = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** For who counts requests: one that is shed is not asked again. */
  readonly isOnce?: boolean;
};

export type Client = {
  readonly base: () => string;
  readonly call: (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, asking?: Asking) => Promise<Answer>;
  readonly send: (authorization: string, events: unknown, headers?: Readonly<Record<string, string>>) => Promise<Answer>;
  /** The device's authorization. */
  readonly device: (account: AccountCredentials, device: string) => Promise<string>;
  /** Registers a device, or registers it again. */
  readonly register: (authorization: string, device: string, registration: object) => Promise<Answer>;
  /** Sends a whole request and cuts the connection without reading; resolves once it is cut. */
  readonly sendAndCut: (authorization: string, body: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

const timeoutMs = 30_000;
const shedsMax = 60;
const comeBackMsMax = 1000;
const json = { 'content-type': 'application/json' };

export function createClient(base: () => string): Client {
  const agent = new Agent({ connections: 64, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
  const ask: Client['call'] = async (method, path, { headers = {}, body } = {}) => {
    const answer = await request(`${base()}${path}`, { method, headers, dispatcher: agent, ...(body === undefined ? {} : { body }) });
    const text = await answer.body.text();
    const header = (name: string): string | undefined => {
      const value = answer.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    };
    return { status: answer.statusCode, header, text, json: parse(text) };
  };
  // On a machine that is busy with others a lane may be shed; whoever is told to come back does. Rules about shedding drive storms.
  const call: Client['call'] = async (method, path, asking = {}) => {
    for (let sheds = 0; ; sheds++) {
      const answer = await ask(method, path, asking);
      if (!isShed(answer) || asking.isOnce === true || sheds === shedsMax) return answer;
      await sleep(Math.min(comeBackMsMax, Number(answer.header('retry-after') ?? 1) * 1000));
    }
  };
  return {
    base,
    call,
    send: (authorization, events, headers = {}) =>
      call('POST', '/v1/events', {
        headers: { ...json, authorization, ...headers },
        body: typeof events === 'string' || Buffer.isBuffer(events) ? events : JSON.stringify(events),
      }),
    device: async (account, device) => {
      const body = JSON.stringify({ device_id: device });
      const answer = await call('POST', '/v1/authenticate', { headers: { ...json, authorization: publishableAuthorization(account) }, body });
      hold(answer.status === 200 && typeof answer.json?.access_token === 'string', '200 with an access_token for a new device', answer.text);
      return `Bearer ${answer.json?.access_token as string}`;
    },
    register: (authorization, device, registration) =>
      call('PUT', `/v1/devices/${device}`, { headers: { ...json, authorization }, body: JSON.stringify(registration) }),
    sendAndCut: (authorization, body) => {
      const { hostname, port } = new URL(base());
      const head = `POST /v1/events HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
      return new Promise((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => socket.write(head + body, () => socket.resetAndDestroy()));
        socket.once('error', reject);
        socket.once('close', () => resolve());
      });
    },
    close: () => agent.destroy(),
  };
}

export const isShed = ({ status, text }: Pick<Answer, 'status' | 'text'>): boolean => status === 503 && text.includes('lane-shed');

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
