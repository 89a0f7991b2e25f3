/** Streams of the contract as pure text: what a listener asks, and what a frame of its stream says. */
import type { Frame } from '#system/protocol/frames.ts';
import { parseEventId } from './event-ids.ts';
import { type Population, type Promised, parseUserName, recipientOf, userOfArrival } from './item-laws.ts';

export type StreamAsk = {
  readonly channels: readonly string[];
  /** A cursor, or `now`. */
  readonly since: string;
  readonly heartbeatMs: number;
};

export const streamPath = ({ channels, since, heartbeatMs }: StreamAsk): string => `/v1/stream?ch=${channels.join(',')}&since=${since}&hb=${heartbeatMs}`;

/** Of one collection: a polling listener has one cursor. */
export const pollPath = ({ channel, since }: { readonly channel: string; readonly since: string }): string =>
  `/v1/sync/${channel.replace(/^sync:/, '')}?since=${since}`;

/** Undefined for a line that is no frame. */
export function parseFrame(line: string): Frame | undefined {
  try {
    const frame = JSON.parse(line) as Partial<Frame> | null;
    return typeof frame?.t === 'string' ? (frame as Frame) : undefined;
  } catch {
    return undefined;
  }
}

export type PollAnswer = { readonly changes: readonly Frame[]; readonly cursor: string; readonly isUpToDate: boolean };

export function parsePollAnswer(body: string): PollAnswer | undefined {
  try {
    const { changes, cursor, up_to_date: isUpToDate } = JSON.parse(body) as { changes?: unknown; cursor?: unknown; up_to_date?: unknown };
    if (!Array.isArray(changes) || typeof cursor !== 'string' || typeof isUpToDate !== 'boolean') return undefined;
    return { changes: changes as readonly Frame[], cursor, isUpToDate };
  } catch {
    return undefined;
  }
}

/** Keys that are written once carry their arrival, since a deletion's frame has no data. */
export const onceKeyOf = (arrival: number): string => `once-${arrival.toString(36)}`;
const arrivalOfOnceKey = (key: string): number | undefined => (key.startsWith('once-') ? Number.parseInt(key.slice('once-'.length), 36) : undefined);

/** Which arrival of this run made a change, and what of its promises the change is. */
export type Origin = { readonly arrival: number; readonly promised: Promised; readonly from: number | undefined };

type InboxData = { readonly from?: { readonly user?: unknown }; readonly data?: { readonly id?: unknown } };

/** Undefined for a change that this run did not make. `from`: the owner of what is in an inbox. */
export function originOf(run: string, frame: { readonly t: string; readonly ch: string; readonly k: string; readonly d?: unknown }): Origin | undefined {
  if (frame.ch === 'inbox') return originOfShared(run, frame.d as InboxData | undefined);
  if (frame.t === 'del') {
    const arrival = arrivalOfOnceKey(frame.k);
    return arrival === undefined ? undefined : { arrival, promised: 'second', from: undefined };
  }
  const id = (frame.d as { readonly id?: unknown } | undefined)?.id;
  const parsed = typeof id === 'string' ? parseEventId(run, id) : undefined;
  return parsed === undefined ? undefined : { arrival: parsed.arrival, promised: 'write', from: undefined };
}

function originOfShared(run: string, data: InboxData | undefined): Origin | undefined {
  const { id } = data?.data ?? {};
  const user = data?.from?.user;
  const parsed = typeof id === 'string' ? parseEventId(run, id) : undefined;
  if (parsed === undefined || typeof user !== 'string') return undefined;
  return { arrival: parsed.arrival, promised: 'second', from: parseUserName(run, user) ?? -1 };
}

/** Whether a change may stand in a user's log: one's own, and in one's inbox what the user before shares. */
export function mayHave(user: number, { arrival, from }: Origin, population: Population): boolean {
  const owner = userOfArrival(arrival, population);
  return from === undefined ? owner === user : from === owner && recipientOf(owner, population) === user;
}

/** 32-bit FNV-1a: of what makes a change this change, so that sums over many tell whether two saw the same. */
export function changeHash({
  t,
  ch,
  k,
  ver,
  c,
}: {
  readonly t: string;
  readonly ch: string;
  readonly k: string;
  readonly ver?: number;
  readonly c?: string;
}): number {
  let hash = 0x811c9dc5;
  const text = `${c} ${t} ${ch} ${k} ${ver}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
