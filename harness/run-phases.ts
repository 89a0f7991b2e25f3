/** A scenario's phases as an engine drives them, and a run's name. */
import { randomInt } from 'node:crypto';
import type { EngineName } from '#harness/command/run-options.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { type Scenario, trafficOf } from '#harness/scenario.ts';

/** k6 knows one spacing: the plan that it is held to, and whose hash is in the report, says so. */
export const phasesFor = (scenario: Scenario, engine: EngineName | undefined): readonly ArrivalPhase[] =>
  scenario.phases.map((phase) => ({
    name: phase.name,
    measured: phase.measured,
    durationSeconds: phase.durationSeconds,
    rate: phase.rate,
    spacing: engine === 'k6' ? 'uniform' : (phase.spacing ?? 'poisson'),
    traffic: trafficOf(phase),
  }));

const nameAlphabet = '0123456789abcdefghijklmnopqrstuvwxyz';
export const randomName = (length: number): string => Array.from({ length }, () => nameAlphabet[randomInt(nameAlphabet.length)]).join('');
