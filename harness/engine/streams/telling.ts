/** A change reaches a listener: counted, compared with what came before, and timed. */
import { promiseKey } from '#harness/target/item-laws.ts';
import { mayHave, originOf } from '#harness/target/stream-contract.ts';
import type { ChangeFrame } from '#system/protocol/frames.ts';
import { type Member, note } from './kit.ts';
import { tellChange } from './view.ts';

export function tell(member: Member, frame: ChangeFrame, atMs: number): void {
  const { kit, reader, user } = member;
  note(member, 'changes', { atMs });
  if (!tellChange(member.view, frame)) note(member, 'reordered', { atMs });
  const origin = originOf(kit.run, frame);
  // What another run wrote may lie in a service that was there before: it counts, and its timing is not ours.
  if (origin === undefined) return;
  if (!mayHave(user, origin, kit.population)) note(member, 'leaked', { atMs });
  kit.lags.arrived(promiseKey(origin.arrival, origin.promised), { frameAtMs: atMs, reader });
}
