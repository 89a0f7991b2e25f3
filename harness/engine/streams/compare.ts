/** After the load: has every listener what its user's log has? */
import type { Member } from './kit.ts';
import type { AccusedReader, Comparison, UserLog } from './messages.ts';
import { compare, type Expectation, expectationOf } from './view.ts';

const examplesMax = 5;
const accusedMax = 1000;

export type Comparing = {
  readonly members: readonly Member[];
  readonly logs: readonly UserLog[];
  readonly isOver: () => boolean;
  readonly pause: () => Promise<void>;
};

/** Of the users whose logs these are. Who is not listening any more has to have what came up to its last cursor; who listens, everything. */
export async function compareMembers({ members, logs, isOver, pause }: Comparing): Promise<Comparison> {
  const byUser = new Map(logs.map(({ user, entries }) => [user, entries]));
  const compared = members.filter(({ view, user }) => view.from !== '' && byUser.has(user));
  const expectations = new Map<Member, { readonly from: string; readonly expected: Expectation }>();
  /** A reader that began anew meanwhile has to see other changes. */
  const expected = (member: Member): Expectation => {
    const { user, view, plan } = member;
    const known = expectations.get(member);
    if (known?.from === view.from) return known.expected;
    const until = member.standing() === 'idle' ? view.position : undefined;
    const fresh = expectationOf(byUser.get(user) ?? [], { from: view.from, until, channels: plan.channels });
    expectations.set(member, { from: view.from, expected: fresh });
    return fresh;
  };
  while (!isOver() && compared.some((member) => member.view.seen < expected(member).count)) await pause();
  return sumUp(compared, expected);
}

function sumUp(members: readonly Member[], expected: (member: Member) => Expectation): Comparison {
  const sum = { readers: members.length, expected: 0, seen: 0, lost: 0, duplicated: 0 };
  const examples: { readonly kind: 'lost' | 'duplicated'; readonly text: string }[] = [];
  const accused: AccusedReader[] = [];
  for (const member of members) {
    const { view, plan, index, user } = member;
    const wanted = expected(member);
    const { lost, duplicated } = compare(view, wanted);
    sum.expected += wanted.count;
    sum.seen += view.seen;
    sum.lost += lost;
    sum.duplicated += duplicated;
    if (lost + duplicated > 0 && accused.length < accusedMax) accused.push({ reader: plan.name, index, user, lost, duplicated });
    const text = `${plan.name} ${index} of user ${user}: saw ${view.seen} of ${wanted.count} changes after ${view.from}, the last at ${view.position}`;
    if (lost > 0 && examples.length < examplesMax) examples.push({ kind: 'lost', text });
    else if (duplicated > 0 && examples.length < examplesMax) examples.push({ kind: 'duplicated', text });
  }
  return { ...sum, examples, accused };
}
