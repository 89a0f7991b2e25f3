/** What an account does with its endpoints. Outcomes are values; the routes turn them into HTTP. */
import { randomBytes } from 'node:crypto';
import { type Clock, shownMs, storeMsOf } from '#system/clock.ts';
import { digestOf, matchesDigest } from '#system/protocol/secrets.ts';
import { confirmationType, testType, type WebhookType } from '#system/protocol/webhooks.ts';
import { type Endpoint, type EndpointKey, endpointsPerAccountMax, outwardEvent, type Store } from '#system/store/store.ts';
import { type Guard, mayConnect } from './guard.ts';
import type { Resolve } from './resolve.ts';
import type { WebhookSettings } from './settings.ts';
import { newSecret, secretsAt } from './signature.ts';

export type Refusal = { readonly kind: 'missing' | 'duplicate-url' | 'full' | 'forbidden-url' | 'not-active' };
export type Stored = { readonly kind: 'stored'; readonly row: Endpoint };
export type Wanted = { readonly url: string; readonly types: readonly WebhookType[]; readonly description?: string | undefined };
export type Patch = Partial<Wanted> & { readonly enabled?: boolean | undefined };
/** Where the service is reached: `confirm_url` begins with it. */
export type Reached = { readonly baseUrl: string };

export type Webhooks = {
  readonly create: (account: string, wanted: Wanted, reached: Reached) => Promise<Stored | Refusal>;
  readonly change: (key: EndpointKey, patch: Patch, reached: Reached) => Promise<Stored | Refusal>;
  /** The one before holds for `overlapSeconds` more. */
  readonly rotate: (key: EndpointKey, overlapSeconds: number) => Promise<Stored | Refusal>;
  readonly test: (key: EndpointKey) => Promise<{ readonly kind: 'queued'; readonly eventId: string } | Refusal>;
  readonly confirm: (token: string) => Promise<Stored | { readonly kind: 'missing' | 'expired' }>;
  /** By its echo. */
  readonly confirmEcho: (key: EndpointKey, challenge: string) => Promise<boolean>;
};

export type WebhooksOptions = {
  readonly store: Store;
  readonly clock: Clock;
  readonly settings: WebhookSettings;
  readonly guard: Guard;
  readonly resolve: Resolve;
};

/** Beside the one that is valid from now on. */
const secretsKeptMax = 2;
// Two changes of one endpoint may race; the loser reads again. More rounds than this would mean a broken store.
const roundsMax = 10;

export function createWebhooks(options: WebhooksOptions): Webhooks {
  const { store, clock, settings } = options;
  const allowed = (url: string): Promise<boolean> => mayBeTold(url, options);
  return {
    create: async (account, { url: given, types, description }, reached) => {
      const url = sameUrl(given);
      if (url === undefined) return { kind: 'forbidden-url' };
      // Before the lookup, which costs more than all else; the store asks again.
      const others = await store.readEndpoints({ account });
      if (others.length >= endpointsPerAccountMax) return { kind: 'full' };
      if (isTaken(url, others)) return { kind: 'duplicate-url' };
      if (!(await allowed(url))) return { kind: 'forbidden-url' };
      const nowMs = storeMsOf(clock);
      const base = {
        version: 1,
        account,
        id: `wh_${randomBytes(12).toString('hex')}`,
        url,
        types,
        createdAtMs: clock.wallMs(),
        secrets: [{ secret: newSecret() }],
      };
      const { row, token } = withHandshake(base, nowMs + settings.handshakeSeconds * 1000);
      const first: Endpoint = description === undefined ? row : { ...row, description };
      const { kind } = await store.putEndpoint({ expected: undefined, row: first, nowMs });
      if (kind === 'conflict') throw new Error('a fresh random endpoint id was taken');
      if (kind !== 'stored') return { kind };
      await sendHandshake(options, first, token, reached);
      return { kind: 'stored', row: first };
    },
    change: async (key, { url: given, ...rest }, reached) => {
      const url = given === undefined ? undefined : sameUrl(given);
      if (given !== undefined) {
        if ((await store.readEndpoint(key)) === undefined) return { kind: 'missing' };
        const others = (await store.readEndpoints({ account: key.account })).filter(({ id }) => id !== key.endpoint);
        if (url !== undefined && isTaken(url, others)) return { kind: 'duplicate-url' };
        if (url === undefined || !(await allowed(url))) return { kind: 'forbidden-url' };
      }
      const patch = { ...rest, ...(url === undefined ? {} : { url }) };
      let token: string | undefined;
      const outcome = await update(options, key, (row, nowMs) => {
        const { next, token: fresh } = patched(row, patch, nowMs + settings.handshakeSeconds * 1000);
        token = fresh;
        return next;
      });
      if (outcome.kind === 'stored' && token !== undefined) await sendHandshake(options, outcome.row, token, reached);
      return outcome;
    },
    rotate: (key, overlapSeconds) =>
      update(options, key, (row, nowMs) => {
        const untilMs = nowMs + overlapSeconds * 1000;
        const before = secretsAt(row.secrets, nowMs).map((one) => ({ ...one, untilMs: Math.min(one.untilMs ?? untilMs, untilMs) }));
        return { ...row, secrets: [{ secret: newSecret() }, ...secretsAt(before, nowMs).slice(0, secretsKeptMax)] };
      }),
    test: async (key) => {
      const row = await store.readEndpoint(key);
      if (row === undefined) return { kind: 'missing' };
      if (row.state.kind !== 'active') return { kind: 'not-active' };
      const data = { webhook_id: row.id };
      const event = outwardEvent({ account: key.account, type: testType, source: randomBytes(16).toString('hex'), atMs: clock.wallMs(), data });
      await store.enqueueOutward({ account: key.account, event, only: { endpoint: row.id, lane: 'events' }, nowMs: storeMsOf(clock), bounds: settings.bounds });
      return { kind: 'queued', eventId: event.id };
    },
    confirm: async (token) => {
      const key = keyOfToken(token);
      const row = key && (await store.readEndpoint(key));
      if (key === undefined || row === undefined || !matchesDigest(token, row.handshake.tokenDigest)) return { kind: 'missing' };
      return activate(options, key, row.handshake.tokenDigest);
    },
    confirmEcho: async (key, challenge) => {
      const row = await store.readEndpoint(key);
      if (row === undefined || !matchesDigest(challenge, digestOf(row.handshake.challenge))) return false;
      return (await activate(options, key, row.handshake.tokenDigest)).kind === 'stored';
    },
  };
}

/** The token names its endpoint, so that nothing has to be searched; only its digest is kept beside the message that carries it. */
function keyOfToken(token: string): EndpointKey | undefined {
  const [account, endpoint, secret] = Buffer.from(token, 'base64url').toString('utf8').split(':');
  return account === undefined || endpoint === undefined || secret === undefined ? undefined : { account, endpoint };
}

function withHandshake(row: Omit<Endpoint, 'handshake' | 'state'>, expiresAtMs: number): { readonly row: Endpoint; readonly token: string } {
  const token = Buffer.from(`${row.account}:${row.id}:${randomBytes(24).toString('hex')}`).toString('base64url');
  const handshake = { challenge: randomBytes(24).toString('base64url'), tokenDigest: digestOf(token), expiresAtMs, used: false };
  return { row: { ...row, state: { kind: 'pending' }, handshake }, token };
}

/** Another address, or one that comes back, has to prove itself anew. */
function patched(row: Endpoint, patch: Patch, expiresAtMs: number): { readonly next: Endpoint; readonly token?: string } {
  const { url = sameUrl(row.url) ?? row.url, types = row.types, description = row.description, enabled } = patch;
  const next: Endpoint = { ...row, url, types, ...(description === undefined ? {} : { description }) };
  if (enabled === false) return { next: { ...next, state: { kind: 'disabled', reason: 'by-account' } } };
  const isNew = url !== sameUrl(row.url) && row.state.kind !== 'disabled';
  if (!isNew && !(enabled === true && row.state.kind !== 'active')) return { next };
  const { row: fresh, token } = withHandshake(next, expiresAtMs);
  return { next: fresh, token };
}

async function sendHandshake({ store, clock, settings }: WebhooksOptions, row: Endpoint, token: string, { baseUrl }: Reached): Promise<void> {
  const { challenge, expiresAtMs, tokenDigest } = row.handshake;
  const confirmUrl = `${settings.publicUrl ?? baseUrl}/v1/webhooks/confirm?token=${token}`;
  const data = { webhook_id: row.id, challenge, confirm_url: confirmUrl, expires_at: new Date(shownMs(clock, expiresAtMs)).toISOString() };
  const event = outwardEvent({ account: row.account, type: confirmationType, source: tokenDigest, atMs: clock.wallMs(), data });
  await store.enqueueOutward({ account: row.account, event, only: { endpoint: row.id, lane: 'handshake' }, nowMs: storeMsOf(clock), bounds: settings.bounds });
}

/** Once: whoever comes second, or late, is told that its time is over. */
async function activate(options: WebhooksOptions, key: EndpointKey, tokenDigest: string): Promise<Stored | { readonly kind: 'missing' | 'expired' }> {
  const outcome = await update(options, key, (row, nowMs) => {
    const { handshake, state } = row;
    if (handshake.tokenDigest !== tokenDigest || handshake.used || handshake.expiresAtMs <= nowMs || state.kind !== 'pending') return undefined;
    return { ...row, state: { kind: 'active', sinceMs: nowMs }, handshake: { ...handshake, used: true } };
  });
  if (outcome.kind === 'stored') return outcome;
  return { kind: outcome.kind === 'missing' ? 'missing' : 'expired' };
}

async function update(
  { store, clock }: WebhooksOptions,
  key: EndpointKey,
  change: (row: Endpoint, nowMs: number) => Endpoint | undefined,
): Promise<Stored | Refusal> {
  for (let round = 0; round < roundsMax; round++) {
    const row = await store.readEndpoint(key);
    if (row === undefined) return { kind: 'missing' };
    const nowMs = storeMsOf(clock);
    const changed = change(row, nowMs);
    if (changed === undefined) return { kind: 'not-active' };
    const next = { ...changed, version: row.version + 1 };
    const { kind } = await store.putEndpoint({ expected: row.version, row: next, nowMs });
    if (kind === 'stored') return { kind: 'stored', row: next };
    if (kind !== 'conflict') return { kind };
  }
  throw new Error(`webhook ${key.endpoint} was changed ${roundsMax} times while it was being changed`);
}

/**
 * The one spelling of an address, by the URL standard and without a fragment, which is never sent: two spellings would be
 * two webhooks that tell one receiver everything twice. Undefined for what is no URL.
 */
function sameUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  url.hash = '';
  return url.href;
}

/** Rows of before this was so may have another spelling. */
const isTaken = (url: string, others: readonly Endpoint[]): boolean => others.some((other) => sameUrl(other.url) === url);

/** A name that resolves to nothing now may later: its handshake will show. */
async function mayBeTold(text: string, { guard, resolve }: WebhooksOptions): Promise<boolean> {
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return false;
  const isTls = url.protocol === 'https:';
  const addresses = await resolve(url.hostname).catch(() => undefined);
  if (addresses === undefined) return isTls;
  return addresses.every((address) => mayConnect(guard, { address, isTls }));
}
