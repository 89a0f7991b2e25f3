/** A user of an account as the rules need one: it writes items, reads them, and listens. */
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccountCredentials, secretAuthorization } from '#harness/topology/provision.ts';
import { openStream, type ReadFrame, type StreamReader } from '#harness/topology/stream-reader.ts';
import type { Answer, Client } from './client.ts';
import { hold } from './rule.ts';
import type { Timing } from './timing.ts';

export type State = ReadonlyMap<string, { readonly version: number; readonly data: unknown }>;
type Headers = Readonly<Record<string, string>>;

export type User = {
  readonly authorization: string;
  readonly put: (collection: string, item: string, data: unknown, headers?: Headers) => Promise<Answer>;
  readonly del: (collection: string, item: string, headers?: Headers) => Promise<Answer>;
  readonly get: (path: string, headers?: Headers) => Promise<Answer>;
  readonly post: (path: string, body: unknown) => Promise<Answer>;
  /** Resolves with the head, or the whole answer where it is no stream. */
  readonly open: (query: string, headers?: Headers) => Promise<StreamReader>;
  /** A stream that has said `sync`. */
  readonly listen: (query: string, headers?: Headers) => Promise<StreamReader>;
  readonly snapshot: (collection: string, onPage?: () => Promise<void>) => Promise<{ readonly state: State; readonly cursor: string }>;
};

const json = { 'content-type': 'application/json' };
const patienceMs = 15_000;

export async function newUser(
  client: Client,
  account: AccountCredentials,
  user: string,
  options: { readonly expiresIn?: number; readonly scopes?: readonly string[] } = {},
): Promise<User> {
  const body = JSON.stringify({ user, scopes: options.scopes ?? ['ch:*'], ...(options.expiresIn === undefined ? {} : { expires_in: options.expiresIn }) });
  const minted = await client.call('POST', '/v1/tokens', { headers: { ...json, authorization: secretAuthorization(account) }, body });
  hold(minted.status === 201 && typeof minted.json?.access_token === 'string', '201 with a user token', `${minted.status} ${minted.text}`);
  const authorization = `Bearer ${minted.json?.access_token as string}`;
  const own = { authorization };
  const get: User['get'] = (path, headers = {}) => client.call('GET', path, { headers: { ...own, ...headers } });
  const open: User['open'] = async (query, headers = {}) => {
    const reader = openStream({ url: `${client.base()}/v1/stream?${query}`, authorization, headers });
    await eventually('an answer to GET /v1/stream', () => reader.status() !== undefined || reader.state() === 'ended');
    return reader;
  };
  return {
    authorization,
    get,
    open,
    put: (collection, item, data, headers = {}) =>
      client.call('PUT', `/v1/sync/${collection}/${item}`, { headers: { ...json, ...own, ...headers }, body: JSON.stringify(data) }),
    del: (collection, item, headers = {}) => client.call('DELETE', `/v1/sync/${collection}/${item}`, { headers: { ...own, ...headers } }),
    post: (path, posted) => client.call('POST', path, { headers: { ...json, ...own }, body: JSON.stringify(posted) }),
    listen: async (query, headers) => {
      const reader = await open(query, headers);
      hold(reader.status() === 200, `200 for ${query}`, `${reader.status()} ${reader.text()}`);
      await arrived(reader, 'sync');
      return reader;
    },
    snapshot: (collection, onPage) => readSnapshot(get, collection, onPage),
  };
}

async function readSnapshot(
  get: User['get'],
  collection: string,
  onPage: () => Promise<void> = async () => undefined,
): Promise<{ state: State; cursor: string }> {
  const state = new Map<string, { version: number; data: unknown }>();
  let cursor: string | undefined;
  for (let token = ''; ; ) {
    const page = await get(`/v1/sync/${collection}/snapshot?limit=5${token === '' ? '' : `&page_token=${token}`}`);
    hold(page.status === 200, '200 for a page of a snapshot', `${page.status} ${page.text}`);
    const { items, cursor: own, page_token: next } = page.json as { items: { k: string; ver: number; d: unknown }[]; cursor: string; page_token?: string };
    cursor ??= own;
    hold(own === cursor, `pages that share the cursor ${cursor}`, own);
    for (const { k, ver, d } of items) {
      hold(!state.has(k), 'each item once in a snapshot', k);
      state.set(k, { version: ver, data: d });
    }
    if (next === undefined) return { state, cursor };
    token = next;
    await onPage();
  }
}

/** At a node that was not told: its next position check, which is every ten seconds, and what that takes. */
export const deletionKnownMs = 11_000;

const pollMs = 5;

/**
 * Waits for the next that `holds`; breaks the rule where it never does. This is patience and no bound of the contract's: a process that
 * is seldom run asks seldom, and so it waits until it has asked a number of times too.
 */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, withinMs = patienceMs): Promise<void> {
  const endMs = performance.now() + withinMs;
  for (let asked = 1; !(await holds()); asked++) {
    hold(performance.now() < endMs || asked < withinMs / pollMs / 4, `${what} within ${withinMs} ms`, 'nothing');
    await sleep(pollMs);
  }
}

type Soon = { readonly what: string; readonly statedMs: number; readonly holds: () => boolean | Promise<boolean> };

/** Waits for what the contract promises within a time. Untold where it was late and the machine may be why. */
export async function soon({ judge, holdTime }: Pick<Timing, 'judge' | 'holdTime'>, { what, statedMs, holds }: Soon): Promise<void> {
  const begunMs = performance.now();
  while (!(await holds())) {
    const tookMs = performance.now() - begunMs;
    if (judge(tookMs, statedMs) === 'too-late') holdTime({ what, tookMs, statedMs, came: 'nothing' });
    await sleep(pollMs);
  }
  holdTime({ what, tookMs: performance.now() - begunMs, statedMs });
}

export const arrived = (reader: StreamReader, t: string, count = 1, withinMs = patienceMs): Promise<void> =>
  eventually(`${count} × ${t}`, () => reader.frames.filter((frame) => frame.t === t).length >= count, withinMs);

/** Of a frame of a stream or of a subscription. */
export const isChange = ({ t }: { readonly t: string }): boolean => t === 'put' || t === 'del';
export const changesOf = (reader: StreamReader): readonly ReadFrame[] => reader.frames.filter(isChange);
/** To compare: what changed, to which version. */
export const shownChanges = (frames: readonly ReadFrame[]): readonly string[] => frames.filter(isChange).map(({ t, ch, k, ver }) => `${t} ${ch} ${k} v${ver}`);
export const lastCursor = (reader: StreamReader): string => String(reader.frames.findLast(({ c }) => c !== undefined)?.c ?? reader.frames[0]?.from);

/** What a client holds that applies the frames. */
export function applied(state: State, frames: readonly ReadFrame[]): State {
  const next = new Map(state);
  for (const { t, k, ver, d } of frames.filter(isChange)) {
    if (t === 'del') next.delete(String(k));
    else next.set(String(k), { version: Number(ver), data: d });
  }
  return next;
}

/** By the contract's words (§3, Hash). */
export function hashOf(state: State): string {
  let sum = 0n;
  for (const [key, { version }] of state) sum += hash('sha256', `${key}\0${version}`, 'buffer').readBigUInt64BE(0);
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}

export const shownState = (state: State): string => JSON.stringify([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
