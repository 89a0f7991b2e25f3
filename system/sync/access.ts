/** Whose log a credential reads, and which channels of it. */
import type { Channel } from '#system/protocol/channels.ts';
import { accountPrincipal, type LogKey, userPrincipal } from '#system/store/store.ts';

export type Holder =
  | { readonly kind: 'account' | 'publishable'; readonly account: string }
  | { readonly kind: 'device'; readonly account: string; readonly device: string; readonly user: string | undefined }
  | { readonly kind: 'user'; readonly account: string; readonly user: string; readonly scopes: readonly string[] };

/** Undefined for a device that belongs to no user: it has nothing to keep in sync. */
export function logOf(holder: Holder): LogKey | undefined {
  if (holder.kind === 'account') return { account: holder.account, principal: accountPrincipal };
  if (!('user' in holder) || holder.user === undefined) return undefined;
  return { account: holder.account, principal: userPrincipal(holder.user) };
}

export function mayUse(holder: Holder, channel: Channel): boolean {
  switch (holder.kind) {
    case 'account':
      return channel.kind !== 'collection';
    case 'device':
      return channel.kind === 'device' ? channel.device === holder.device : channel.kind !== 'devices' && holder.user !== undefined;
    case 'user':
      return (channel.kind === 'collection' || channel.kind === 'inbox') && holder.scopes.some((scope) => covers(scope, channel.name));
    case 'publishable':
      return false;
  }
}

/** `ch:sync:trips` names one channel, `ch:sync:*` and `ch:*` all that begin so. */
function covers(scope: string, channel: string): boolean {
  const name = scope.slice('ch:'.length);
  return name.endsWith('*') ? channel.startsWith(name.slice(0, -1)) : name === channel;
}
