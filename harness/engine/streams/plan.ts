/** What a scenario says of its readers, with everything said. Pure. */
import type { Phase, Reader, Scenario } from '#harness/scenario.ts';
import type { ReaderPlan } from './kit.ts';
import type { PhaseStart } from './messages.ts';
import { referenceLaw } from './reconnect.ts';

export const heartbeatMsDefault = 25_000;
export const channelsDefault: readonly string[] = ['sync:trips', 'inbox'];

/** Of a scenario whose clock was taken out already (`runningScenario`). */
export function readerPlans({ streams, phases }: Scenario): readonly ReaderPlan[] {
  return (streams?.readers ?? []).map((reader) => {
    const { name, way = { kind: 'stream' }, pace = { kind: 'normal' }, reconnect } = reader;
    return {
      name,
      channels: channelsOf(reader),
      way:
        way.kind === 'poll'
          ? { kind: 'poll', everyMs: way.everySeconds * 1000 }
          : { kind: 'stream', heartbeatMs: way.heartbeatMs ?? heartbeatMsDefault, as: way.as ?? 'ndjson' },
      pace,
      reconnect: {
        ...referenceLaw,
        ...(reconnect && { jitter: reconnect.jitter, baseMs: reconnect.baseMs ?? referenceLaw.baseMs, capMs: reconnect.capMs ?? referenceLaw.capMs }),
      },
      count: mostOf(phases, name),
    };
  });
}

/** The most of a reader that a scenario ever holds. */
export const mostOf = (phases: readonly Phase[], name: string): number =>
  Math.max(0, ...phases.flatMap(({ population = [] }) => population.filter(({ reader }) => reader === name).map(({ target }) => target)));

/** A poll has the cursor of one collection. */
export const channelsOf = ({ channels, way }: Reader): readonly string[] => channels ?? (way?.kind === 'poll' ? channelsDefault.slice(0, 1) : channelsDefault);

export function phaseStart({ population = [] }: Phase, plans: readonly ReaderPlan[], at: { readonly phase: number; readonly startMs: number }): PhaseStart {
  const moves = population.map(({ reader, target, perSecond }) => ({ reader: plans.findIndex(({ name }) => name === reader), target, perSecond }));
  return { ...at, population: moves };
}
