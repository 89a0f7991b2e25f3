/** A webhook receiver within this process. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { confirmationType } from '#system/protocol/webhooks.ts';

export type Hit = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** When its last byte was read. */
  readonly atMs: number;
  readonly wallMs: number;
  /** `webhook-id`; empty without one. */
  readonly id: string;
  /** Of the body; empty where it is not ours. */
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
};

export type Reaction =
  | { readonly kind: 'answer'; readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string; readonly afterMs?: number }
  /** Its connection stays open without a word. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'cut' }
  /** 200 with the challenge that came. */
  | { readonly kind: 'echo' };

/** `before`: earlier hits on this path with this id. */
export type React = (hit: Hit, before: number) => Reaction;

export type Receiver = {
  readonly host: string;
  readonly port: number;
  /** Of a path, as http://127.0.0.1:1234/path. */
  readonly url: (path: string) => string;
  /** What happens at a path from now on; without it a challenge is echoed and all else is answered with 200. */
  readonly react: (path: string, react: React) => void;
  readonly hits: readonly Hit[];
  readonly at: (path: string) => readonly Hit[];
  readonly stop: () => Promise<void>;
};

const hitsMax = 100_000;
const ok: Reaction = { kind: 'answer', status: 200 };
export const byDefault: React = ({ type }) => (type === confirmationType ? { kind: 'echo' } : ok);

export async function createReceiver({ host = '127.0.0.1', port = 0 }: { readonly host?: string; readonly port?: number } = {}): Promise<Receiver> {
  const hits: Hit[] = [];
  const reactions = new Map<string, React>();
  const server = createServer((request, response) => {
    readHit(request, (hit) => {
      const before = hits.filter(({ path, id }) => path === hit.path && id === hit.id).length;
      if (hits.length < hitsMax) hits.push(hit);
      carryOut((reactions.get(hit.path) ?? byDefault)(hit, before), hit, response);
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const taken = (server.address() as AddressInfo).port;
  return {
    host,
    port: taken,
    url: (path) => `http://${host}:${taken}${path}`,
    react: (path, react) => void reactions.set(path, react),
    hits,
    at: (path) => hits.filter((hit) => hit.path === path),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function readHit(request: IncomingMessage, done: (hit: Hit) => void): void {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('error', () => undefined);
  request.on('end', () => {
    const body = Buffer.concat(parts).toString('utf8');
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const { type, data } = parse(body);
    const hit = { path: request.url ?? '/', headers, body, atMs: performance.now(), wallMs: Date.now(), id: headers['webhook-id'] ?? '' };
    done({ ...hit, type: typeof type === 'string' ? type : '', data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {} });
  });
}

function parse(body: string): { readonly type?: unknown; readonly data?: unknown } {
  try {
    return (JSON.parse(body) ?? {}) as { type?: unknown; data?: unknown };
  } catch {
    return {};
  }
}

export function carryOut(reaction: Reaction, hit: Hit, response: ServerResponse): void {
  switch (reaction.kind) {
    case 'hang':
      return;
    case 'cut':
      response.socket?.resetAndDestroy();
      return;
    case 'echo':
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ challenge: hit.data.challenge }));
      return;
    case 'answer': {
      const answer = (): void => void response.writeHead(reaction.status, { ...reaction.headers }).end(reaction.body ?? '');
      if (reaction.afterMs === undefined) answer();
      else setTimeout(answer, reaction.afterMs);
    }
  }
}
