/**
 * Whether there is room to write. LMDB must not meet the end of the disk: the text of a failed write overruns the 100 bytes that lmdb 3.5.6 allots it
 * (`last_error` in mdb_page_flush), and the process dies of its damaged heap then or later. So writing ends while there is room, as brokers do it. A
 * larger transaction, or somebody else who fills the disk at that moment, can still kill a process: unacknowledged work is lost with it, no other.
 *
 * The file never gets smaller. What was pruned leaves free pages in it, and they count as room.
 */
import { statfsSync } from 'node:fs';
import { StoreUnavailable } from '#system/store/store.ts';
import type { Tables } from './tables.ts';

/** `growing`: what clients send. `tidying`: what the service does with what it has; without it no room comes back. */
export type Use = 'growing' | 'tidying';

export type Room = {
  /** That the file may still grow by. */
  readonly freeBytes: number;
  /** Of which so much is kept. */
  readonly reserveBytes: number;
  /** Of free pages inside the file. */
  readonly reusableBytes: number;
};

const reserveBytesMax = 64 * 2 ** 20;
const reserveShare = 1 / 16;
/** A record of many pages needs them one behind the other: of the free pages half are believed to be of use, and the file may still grow a little. */
const useful = 1 / 2;
const growingFloor = 1 / 2;
const tidyingFloor = 1 / 4;

export function hasRoomFor(use: Use, { freeBytes, reserveBytes, reusableBytes }: Room): boolean {
  const roomBytes = freeBytes + reusableBytes * useful;
  if (use === 'tidying') return roomBytes >= reserveBytes * tidyingFloor;
  return roomBytes >= reserveBytes && freeBytes >= reserveBytes * growingFloor;
}

export type RoomOptions = { readonly folder: string; readonly mapSizeBytes?: number | undefined };

/** Of the disk, or of the bound of the file where that is nearer. Free pages are counted only where they may matter: that costs a look at each table. */
export function roomOf(tables: Tables, { folder, mapSizeBytes }: RoomOptions): Room {
  const nearest = [diskRoom(folder), ...(mapSizeBytes === undefined ? [] : [fileRoom(tables, mapSizeBytes)])].reduce((least, each) =>
    each.freeBytes - each.reserveBytes < least.freeBytes - least.reserveBytes ? each : least,
  );
  return { ...nearest, reusableBytes: nearest.freeBytes >= nearest.reserveBytes ? 0 : reusableBytesOf(tables) };
}

/** Undefined where nothing is refused. */
export const refusalOf = (room: Room): ((use: Use) => StoreUnavailable | undefined) | undefined =>
  hasRoomFor('growing', room) ? undefined : (use) => (hasRoomFor(use, room) ? undefined : noRoom(room));

const noRoom = ({ reserveBytes }: Room): StoreUnavailable =>
  new StoreUnavailable('full', `full: less than ${(reserveBytes / 2 ** 20).toFixed(1)} MiB are left, on the disk and of free pages in the data.`);

export const diskFreeBytes = (folder: string): number => diskRoom(folder).freeBytes;

type Bounds = Omit<Room, 'reusableBytes'>;
const boundsOf = (freeBytes: number, allBytes: number): Bounds => ({ freeBytes, reserveBytes: Math.min(reserveBytesMax, allBytes * reserveShare) });

function diskRoom(folder: string): Bounds {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return boundsOf(bavail * bsize, blocks * bsize);
}

/** lmdb-js enlarges its map by itself instead of failing, so the bound is kept here. */
function fileRoom({ root }: Tables, maxBytes: number): Bounds {
  const { lastPageNumber, pageSize } = root.getStats() as Stats;
  return boundsOf(maxBytes - (lastPageNumber + 1) * pageSize, maxBytes);
}

type Counts = { readonly treeBranchPageCount: number; readonly treeLeafPageCount: number; readonly overflowPages: number };
type Stats = Counts & { readonly lastPageNumber: number; readonly pageSize: number; readonly free: Counts };

const pagesOf = ({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Counts): number => treeBranchPageCount + treeLeafPageCount + overflowPages;
const metaPages = 2;

function reusableBytesOf({ root, answers, ...tables }: Tables): number {
  const { lastPageNumber, pageSize, free, ...own } = root.getStats() as Stats;
  const used = [...answers, ...Object.values(tables)].map((table) => pagesOf(table.getStats() as Stats));
  const usedPages = metaPages + pagesOf(own) + pagesOf(free) + used.reduce((sum, pages) => sum + pages, 0);
  return Math.max(0, lastPageNumber + 1 - usedPages) * pageSize;
}
