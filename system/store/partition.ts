export const partitionCount = 64;
export const allPartitions: readonly number[] = Array.from({ length: partitionCount }, (_, partition) => partition);

/** FNV-1a over account, NUL, name of the device or principal: stable for ever, since it decides where its data lives. */
export function partitionOf(account: string, name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < account.length; i++) hash = Math.imul(hash ^ account.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash, 0x01000193);
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % partitionCount;
}
