/** Thousands of streams at once, for rules about what they cost. */
import { openStream, type StreamReader, type StreamRequest } from '#harness/topology/stream-reader.ts';
import { hold, Unaskable } from './rule.ts';
import { arrived, eventually } from './user.ts';

const openedAtOnce = 100;

/** What this machine lacks rather than the service. */
const lacks: readonly (string | undefined)[] = ['EMFILE', 'EADDRNOTAVAIL'];

/** All of them in sync. Breaks the rule where the service does not hold them; throws Unaskable where this machine has no room for them. */
export async function openMany(request: StreamRequest, count: number): Promise<readonly StreamReader[]> {
  const all: StreamReader[] = [];
  while (all.length < count) {
    const some = Array.from({ length: Math.min(openedAtOnce, count - all.length) }, () => openStream(request));
    all.push(...some);
    await eventually('answers', () => some.every((reader) => reader.status() !== undefined || reader.state() === 'ended'));
    const lost = some.find((reader) => reader.state() === 'ended');
    const cause = lost && (await lost.ended).error;
    if (lacks.includes(cause)) throw new Unaskable(`it needs ${count} descriptors and free ports here, and got ${cause}`);
    hold(lost === undefined && some.every((reader) => reader.status() === 200), `${count} streams`, cause ?? some.map((reader) => reader.status()));
    for (const reader of some) await arrived(reader, 'sync');
  }
  return all;
}
