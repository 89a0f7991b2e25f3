/** A scenario from outside becomes a checked one, with its thresholds parsed, or a list of what is wrong with it. No I/O. */
import { offer } from '#harness/gates/nearest.ts';
import { formatThresholdError, type ParsedThreshold, parseThreshold } from '#harness/gates/threshold.ts';
import { arrivalCount } from '#harness/pacing/rate.ts';
import { floodName } from '#harness/target/storm-operations.ts';
import { chainsOf, type Phase, type Scenario, timeoutMsOf } from './scenario.ts';
import { sampleTrouble } from './scenario-samples.ts';
import { joinPath, type ScenarioError, scenarioSchema, schemaErrors } from './scenario-schema.ts';
import { streamErrors } from './scenario-streams.ts';
import { webhookErrors } from './scenario-webhooks.ts';

/** One byte an arrival is kept for the ledger: more would not fit a run's memory. */
export const arrivalsMax = 100_000_000;

export type ParseContext = {
  /** File or name, for messages. */
  readonly source: string;
  /** Names of the operations that an engine knows. */
  readonly operations: readonly string[];
};
export type ParsedScenario =
  | { readonly kind: 'ok'; readonly scenario: Scenario; readonly thresholds: readonly ParsedThreshold[] }
  | { readonly kind: 'errors'; readonly source: string; readonly errors: readonly ScenarioError[] };

export function parseScenario(value: unknown, { source, operations }: ParseContext): ParsedScenario {
  const shape = schemaErrors(scenarioSchema, value);
  if (shape.length > 0) return { kind: 'errors', source, errors: shape };
  const scenario = value as Scenario;
  const { thresholds, errors } = parseThresholds(scenario, operations);
  const all = [
    ...chainErrors(scenario, operations),
    ...phaseErrors(scenario),
    ...fleetErrors(scenario),
    ...streamErrors(scenario),
    ...webhookErrors(scenario),
    ...errors,
  ];
  return all.length > 0 ? { kind: 'errors', source, errors: all } : { kind: 'ok', scenario, thresholds };
}

/** One error a paragraph, the path first. */
export function formatScenarioErrors({ source, errors }: { readonly source: string; readonly errors: readonly ScenarioError[] }): string {
  const line = ({ path, message }: ScenarioError): string => `  ${path === '' ? '' : `${path}: `}${message.replaceAll('\n', '\n    ')}`;
  return `${source} is not a scenario that can be run:\n${errors.map(line).join('\n')}`;
}

function parseThresholds(
  scenario: Scenario,
  operations: readonly string[],
): { readonly thresholds: readonly ParsedThreshold[]; readonly errors: readonly ScenarioError[] } {
  const readers = scenario.streams?.readers.map(({ name }) => name) ?? [];
  const receivers = scenario.webhooks?.map(({ name }) => name) ?? [];
  const names = { phases: scenario.phases.map((phase) => phase.name), operations, readers, receivers };
  const thresholds: ParsedThreshold[] = [];
  const errors: ScenarioError[] = [];
  for (const [index, threshold] of scenario.thresholds.entries()) {
    const parsed = parseThreshold(threshold, names);
    if (parsed.kind === 'error') {
      errors.push({ path: `thresholds[${index}].${parsed.where}`, message: `\n${formatThresholdError(parsed)}` });
      continue;
    }
    thresholds.push(parsed.threshold);
    const trouble = sampleTrouble(scenario, parsed.threshold);
    if (trouble !== undefined) errors.push({ path: `thresholds[${index}].metric`, message: `${threshold.metric}: ${trouble}` });
  }
  return { thresholds, errors };
}

function chainErrors(scenario: Scenario, operations: readonly string[]): readonly ScenarioError[] {
  const chains = Object.entries(chainsOf(scenario.chains));
  const unknown = chains.flatMap(([name, chain]) =>
    chain.flatMap((operation, index) =>
      operations.includes(operation)
        ? []
        : [{ path: `chains.${name}[${index}]`, message: `there is no operation "${operation}"${offer(operation, operations)}` }],
    ),
  );
  const known = chains.map(([name]) => name);
  const traffic = scenario.phases.flatMap((phase, at) =>
    (phase.traffic ?? []).flatMap((share, index) =>
      known.includes(share.chain)
        ? []
        : [{ path: `phases[${at}].traffic[${index}].chain`, message: `there is no chain "${share.chain}"${offer(share.chain, known)}` }],
    ),
  );
  return [...unknown, ...traffic, ...thinkErrors(scenario)];
}

function thinkErrors({ chains = {} }: Scenario): readonly ScenarioError[] {
  return Object.entries(chains).flatMap(([name, steps]) =>
    steps.flatMap((step, index): readonly ScenarioError[] => {
      if (typeof step === 'string') return [];
      const { thinkTime } = step;
      const path = `chains.${name}[${index}].thinkTime`;
      if (index === 0) return [{ path, message: "stands before a chain's first step, which is due when the plan says: it is for those behind it" }];
      return thinkTime.kind === 'uniform' && thinkTime.untilMs < thinkTime.fromMs
        ? [{ path: `${path}.untilMs`, message: `must not be less than fromMs (${thinkTime.fromMs})` }]
        : [];
    }),
  );
}

function phaseErrors(scenario: Scenario): readonly ScenarioError[] {
  const names = scenario.phases.map((phase) => phase.name);
  const errors = scenario.phases.flatMap((phase, index) => [
    ...(names.indexOf(phase.name) < index
      ? [{ path: `phases[${index}].name`, message: `"${phase.name}" is the name of phases[${names.indexOf(phase.name)}] too` }]
      : []),
    ...(phase.untilSettled && phase.measured
      ? [{ path: `phases[${index}].untilSettled`, message: 'is only for unmeasured phases: a measured one has the length it says' }]
      : []),
    ...curveErrors(phase, `phases[${index}].rate`),
  ]);
  if (!scenario.phases.some((phase) => phase.measured)) errors.push({ path: 'phases', message: 'none is measured, so there is nothing to judge' });
  const arrivals = scenario.phases.reduce((sum, phase) => sum + arrivalCount(phase), 0);
  if (arrivals > arrivalsMax) {
    errors.push({
      path: 'phases',
      message: `they plan ${arrivals.toLocaleString('en-US')} arrivals; at most ${arrivalsMax.toLocaleString('en-US')} fit a run`,
    });
  }
  return errors;
}

function curveErrors({ rate, durationSeconds }: Phase, path: string): readonly ScenarioError[] {
  const outside = (name: string): ScenarioError => ({ path: joinPath(path, name), message: `must lie inside the phase's ${durationSeconds} s` });
  if (rate.kind === 'spike') {
    const errors: ScenarioError[] = [];
    if (rate.fromSeconds >= durationSeconds) errors.push(outside('fromSeconds'));
    if (rate.untilSeconds > durationSeconds) errors.push(outside('untilSeconds'));
    if (rate.untilSeconds <= rate.fromSeconds) errors.push({ path: joinPath(path, 'untilSeconds'), message: 'must be after fromSeconds' });
    return errors;
  }
  if (rate.kind !== 'step') return [];
  return rate.steps.flatMap((step, index) => {
    const before = rate.steps[index - 1]?.atSeconds ?? -1;
    if (step.atSeconds <= before) return [{ path: `${path}.steps[${index}].atSeconds`, message: 'must be after the step before it' }];
    return step.atSeconds >= durationSeconds ? [outside(`steps[${index}].atSeconds`)] : [];
  });
}

function fleetErrors({ fleet, chains }: Scenario): readonly ScenarioError[] {
  const errors: ScenarioError[] = [];
  const flooding = Object.entries(chainsOf(chains)).filter(([, chain]) => chain.includes(floodName));
  if (fleet.loud === undefined)
    errors.push(...flooding.map(([name]) => ({ path: `chains.${name}`, message: `"${floodName}" sends as a loud account's devices: say fleet.loud.devices` })));
  else if (flooding.length === 0) errors.push({ path: 'fleet.loud', message: `is there, and no chain has "${floodName}", which sends as its devices` });
  for (const [name, chain] of flooding)
    if (chain.length > 1) errors.push({ path: `chains.${name}`, message: `"${floodName}" has to be alone: its arrivals are another account's` });
  if (fleet.motion !== undefined && fleet.motion.walking + fleet.motion.still > 1)
    errors.push({ path: 'fleet.motion', message: 'walking and still are shares of the devices, together at most 1' });
  const { connection } = fleet;
  if (connection.kind === 'per-device-group' && connection.openMax !== undefined && connection.openMax < connection.connections)
    errors.push({ path: 'fleet.connection.openMax', message: `must not be less than connections (${connection.connections}), which are open from the start` });
  if (fleet.accounts > fleet.devices) errors.push({ path: 'fleet.accounts', message: `must not be more than fleet.devices (${fleet.devices})` });
  if (fleet.goodWithinMs !== undefined && fleet.goodWithinMs > timeoutMsOf(fleet)) {
    errors.push({ path: 'fleet.goodWithinMs', message: `must not be more than fleet.timeoutMs (${timeoutMsOf(fleet)}): what is later is given up` });
  }
  return errors;
}
