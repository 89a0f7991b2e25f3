/** Channels of a stream: logs (`sync:{collection}`, `inbox`) with one cursor, and states (`device:{id}`, `devices`) without. */

export type Channel =
  | { readonly kind: 'collection'; readonly name: string; readonly collection: string }
  | { readonly kind: 'inbox'; readonly name: 'inbox' }
  | { readonly kind: 'device'; readonly name: string; readonly device: string }
  | { readonly kind: 'devices'; readonly name: 'devices' };

export const collectionPattern = '^[A-Za-z0-9._-]{1,64}$';
export const itemPattern = '^[A-Za-z0-9._:-]{1,128}$';
/** Collections that nobody may write: one is the inbox, the other part of an address. */
export const reservedCollection = 'inbox';
export const reservedItem = 'snapshot';

export const devicePattern = '^[A-Za-z0-9._:-]{1,64}$';
/** No client can send a part of an address that is a dot or two: the URL standard takes it away, with the part before it. */
export const dots: readonly string[] = ['.', '..'];

const fits = (pattern: string) => {
  const expression = new RegExp(pattern);
  return (name: string): boolean => expression.test(name) && !dots.includes(name);
};
const isCollection = fits(collectionPattern);
export const isDeviceId = fits(devicePattern);

/** Undefined for what is no channel. */
export function parseChannel(name: string): Channel | undefined {
  if (name === 'inbox') return { kind: 'inbox', name };
  if (name === 'devices') return { kind: 'devices', name };
  const colon = name.indexOf(':');
  const rest = name.slice(colon + 1);
  if (name.startsWith('sync:') && isCollection(rest) && rest !== reservedCollection) return { kind: 'collection', name, collection: rest };
  if (name.startsWith('device:') && isDeviceId(rest)) return { kind: 'device', name, device: rest };
  return undefined;
}

/** The log channel of a collection as the sync routes name it. */
export const channelOf = (collection: string): string => (collection === reservedCollection ? 'inbox' : `sync:${collection}`);
export const collectionOf = (channel: string): string => (channel === 'inbox' ? 'inbox' : channel.slice('sync:'.length));
export const snapshotPath = (channel: string): string => `/v1/sync/${collectionOf(channel)}/snapshot`;
