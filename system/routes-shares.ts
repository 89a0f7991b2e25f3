/** Shares of items with another user of the account, or with the account itself. */
import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppDeps } from './app.ts';
import { channelOf, parseChannel } from './protocol/channels.ts';
import { Problem } from './protocol/errors.ts';
import { ShareBody, ShareParams, SharesQuery } from './protocol/schemas.ts';
import { accountPrincipal, type LogKey, type Share, userPrincipal } from './store/store.ts';
import { logOf, mayUse } from './sync/access.ts';

const config = { callers: ['device', 'user'] as const, lane: 'sync' };
const security = [{ bearer: [] }];
const sharesPageDefault = 100;

export function shareRoutes(app: FastifyInstance, deps: AppDeps): void {
  const { store, clock } = deps;
  app.post('/v1/shares', { config, schema: { summary: 'Share an item', security, body: ShareBody } }, (request, reply) => shareItem(request, reply, deps));
  app.get('/v1/shares', { config, schema: { summary: 'What this user shares', security, querystring: SharesQuery } }, async (request, reply) => {
    const { limit = sharesPageDefault, pagination_token: afterId = '' } = request.query as SharesQuery;
    const log = ownLog(request);
    const shares = await store.readShares({ ...log, afterId, limit });
    // From what was read, not from what is shown: a page may be empty with more behind it.
    const next = shares.length === limit ? shares.at(-1)?.id : undefined;
    const covered = shares.filter((share) => mayUseShare(request, share));
    return reply.send({ shares: covered.map((share) => shown(share, log)), ...(next === undefined ? {} : { pagination_token: next }) });
  });
  app.get('/v1/shares/:id', { config, schema: { summary: 'A share', security, params: ShareParams } }, async (request, reply) => {
    return reply.send(shown(await readCovered(request, deps), ownLog(request)));
  });
  app.delete('/v1/shares/:id', { config, schema: { summary: 'Revoke a share', security, params: ShareParams } }, async (request, reply) => {
    const { id } = await readCovered(request, deps);
    const { kind } = await store.unshare({ ...ownLog(request), id, atMs: clock.wallMs() });
    if (kind === 'missing') throw noSuchShare();
    return reply.code(204).send();
  });
}

function ownLog(request: FastifyRequest): LogKey {
  const { caller } = request;
  const log = caller === undefined ? undefined : logOf(caller);
  if (log === undefined) throw new Problem('forbidden', 'This device belongs to no user, and items belong to users.');
  return log;
}

const noSuchShare = (): Problem => new Problem('not-found', 'There is no such share.');

/** A scope that does not cover the item does not cover its shares. */
function mayUseShare({ caller }: FastifyRequest, share: Share): boolean {
  const channel = parseChannel(share.channel);
  return caller !== undefined && channel !== undefined && mayUse(caller, channel);
}

async function readCovered(request: FastifyRequest, { store }: AppDeps): Promise<Share> {
  const share = await store.readShare({ ...ownLog(request), id: (request.params as ShareParams).id });
  if (share === undefined || !mayUseShare(request, share)) throw noSuchShare();
  return share;
}

async function shareItem(request: FastifyRequest, reply: FastifyReply, { store, clock }: AppDeps): Promise<FastifyReply> {
  const { collection, item, to } = request.body as ShareBody;
  const log = ownLog(request);
  const channel = parseChannel(channelOf(collection));
  if (request.caller === undefined || channel?.kind !== 'collection' || !mayUse(request.caller, channel))
    throw new Problem('forbidden', 'This credential is not for this collection.');
  if ('account' in to && to.account !== log.account) throw new Problem('not-found', 'A share goes to a user of this account or to the account itself.');
  const recipient = 'account' in to ? accountPrincipal : userPrincipal(to.user);
  if (recipient === log.principal) throw new Problem('not-processable', 'An item is not shared with its own user.');
  const id = hash('sha256', [log.account, log.principal, channel.name, item, recipient].join('\0'), 'hex').slice(0, 32);
  const share: Share = { id, channel: channel.name, key: item, to: recipient, atMs: clock.wallMs() };
  const result = await store.share({ ...log, share });
  if (result.kind === 'missing') throw new Problem('not-found', 'There is no such item.');
  if (result.kind === 'full') throw new Problem('too-many', 'This item is shared as often as it may be.');
  if (result.kind === 'exists') throw new Problem('share-exists', 'This item is shared with this recipient already.', { share_id: result.share.id });
  return reply.code(201).send(shown(share, log));
}

const shown = ({ id, channel, key, to, atMs }: Share, { account }: LogKey) => ({
  share_id: id,
  collection: channel.slice('sync:'.length),
  item: key,
  to: to === accountPrincipal ? { account } : { user: to.slice('user:'.length) },
  created_at: new Date(atMs).toISOString(),
});
