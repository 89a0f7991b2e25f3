/** What k6 cannot do, said beside every verdict on a run that it drove. */
import type { RunResult } from '#harness/run-result.ts';
import type { Saying } from './validity.ts';

export function k6Notes({ k6, run: { scenario } }: RunResult): readonly Saying[] {
  if (k6 === undefined) return [];
  const notes: Saying[] = [
    {
      code: 'k6-dispatch-delay',
      text: 'k6 does not say how late it fires, so there is no dispatch_delay and no stop of the generator is known; response counts from the plan of each phase as k6 began it',
    },
  ];
  const poisson = scenario.phases.filter(({ spacing }) => spacing !== 'uniform').map(({ name }) => name);
  if (poisson.length > 0)
    notes.push({
      code: 'k6-even-arrivals',
      text: `k6 cannot replay a Poisson plan: ${poisson.join(', ')} had as many arrivals, evenly spaced, which is a kinder load`,
    });
  const unended = scenario.phases.filter(({ untilSettled }) => untilSettled === true).map(({ name }) => name);
  if (unended.length > 0)
    notes.push({ code: 'k6-full-length', text: `k6 gets its whole schedule at once: ${unended.join(', ')} took its full length, settled or not` });
  return notes;
}
