/** The scenario as its clock makes it run: every duration divided by the scale, every rate left alone. Pure. */
import { heartbeatMsDefault } from '#harness/engine/streams/plan.ts';
import type { ChainStep, Fault, Phase, RateCurve, Reader, Scenario, WebhookReceiver } from './scenario.ts';

export const scaleOf = ({ clock }: Scenario): number => clock?.scale ?? 1;

/** What is driven. Thresholds, reports and the run's record keep the scenario as it was written. */
export function runningScenario(scenario: Scenario): Scenario {
  const scale = scaleOf(scenario);
  if (scale === 1) return scenario;
  return {
    ...scenario,
    phases: scenario.phases.map((phase): Phase => ({ ...phase, durationSeconds: phase.durationSeconds / scale, rate: scaledRate(phase.rate, scale) })),
    ...(scenario.chains === undefined ? {} : { chains: scaledChains(scenario.chains, scale) }),
    ...(scenario.faults === undefined ? {} : { faults: scenario.faults.map((fault): Fault => ({ ...fault, atSeconds: fault.atSeconds / scale })) }),
    ...(scenario.streams === undefined
      ? {}
      : { streams: { ...scenario.streams, readers: scenario.streams.readers.map((reader) => scaledReader(reader, scale)) } }),
    ...(scenario.webhooks === undefined ? {} : { webhooks: scenario.webhooks.map((receiver) => scaledReceiver(receiver, scale)) }),
  };
}

const scaledChains = (chains: NonNullable<Scenario['chains']>, scale: number): NonNullable<Scenario['chains']> =>
  Object.fromEntries(Object.entries(chains).map(([name, steps]) => [name, steps.map((step) => scaledStep(step, scale))]));

function scaledStep(step: ChainStep, scale: number): ChainStep {
  if (typeof step === 'string') return step;
  const scaled = (ms: number): number => Math.max(1, Math.round(ms / scale));
  const { operation, thinkTime: time } = step;
  if (time.kind === 'fixed') return { operation, thinkTime: { ...time, ms: scaled(time.ms) } };
  if (time.kind === 'exponential') return { operation, thinkTime: { ...time, meanMs: scaled(time.meanMs) } };
  return { operation, thinkTime: { ...time, fromMs: scaled(time.fromMs), untilMs: scaled(time.untilMs) } };
}

function scaledReceiver(receiver: WebhookReceiver, scale: number): WebhookReceiver {
  const { reaction } = receiver;
  if (reaction?.kind === 'slow') return { ...receiver, reaction: { ...reaction, ms: Math.max(1, Math.round(reaction.ms / scale)) } };
  return reaction?.kind === 'recovers' ? { ...receiver, reaction: { ...reaction, afterSeconds: reaction.afterSeconds / scale } } : receiver;
}

function scaledRate(rate: RateCurve, scale: number): RateCurve {
  if (rate.kind === 'step') return { ...rate, steps: rate.steps.map((step) => ({ ...step, atSeconds: step.atSeconds / scale })) };
  if (rate.kind === 'spike') return { ...rate, fromSeconds: rate.fromSeconds / scale, untilSeconds: rate.untilSeconds / scale };
  return rate;
}

function scaledReader(reader: Reader, scale: number): Reader {
  const { way } = reader;
  if (way?.kind === 'poll') return { ...reader, way: { ...way, everySeconds: way.everySeconds / scale } };
  return { ...reader, way: { kind: 'stream', ...way, heartbeatMs: Math.round((way?.heartbeatMs ?? heartbeatMsDefault) / scale) } };
}
