/** What has to fit together where a scenario has readers, items, faults: each error names its place. Pure. */
import { channelsOf, heartbeatMsDefault, mostOf } from '#harness/engine/streams/plan.ts';
import { offer } from '#harness/gates/nearest.ts';
import { arrivalCount } from '#harness/pacing/rate.ts';
import { faultTrouble } from '#harness/topology/fault-trouble.ts';
import { systemTrouble } from '#harness/topology/system-trouble.ts';
import { limits } from '#system/protocol/limits.ts';
import { chainsOf, type Scenario } from './scenario.ts';
import { scaleOf } from './scenario-clock.ts';
import type { ScenarioError } from './scenario-schema.ts';

const itemOperations: readonly string[] = ['put-item', 'put-once', 'delete-once', 'share-once'];
/** The service keeps so many of a user's youngest changes one by one: beyond it the ledger could not tell a lost change from a forgotten one. */
const changesPerUserMax = 8000;
/** The ephemeral range of Linux, 32768 to 60999. */
const portsPerDestination = 28_232;
/** A process here may open fewer than 20,000 descriptors. */
const readersPerProcessMax = 19_000;

export function streamErrors(scenario: Scenario): readonly ScenarioError[] {
  return [...readerErrors(scenario), ...populationErrors(scenario), ...itemErrors(scenario), ...faultErrors(scenario), ...systemErrors(scenario)];
}

function readerErrors(scenario: Scenario): readonly ScenarioError[] {
  const { streams, fleet } = scenario;
  if (streams === undefined) return [];
  const names = streams.readers.map(({ name }) => name);
  const errors: ScenarioError[] = [];
  if (streams.users % fleet.accounts !== 0)
    errors.push({ path: 'streams.users', message: `must be a multiple of fleet.accounts (${fleet.accounts}), so that each user is of one account` });
  if (streams.users > fleet.devices && streams.credential !== 'user')
    errors.push({ path: 'streams.users', message: `must not be more than fleet.devices (${fleet.devices}): every user needs a device` });
  if (streams.watchPresence === true && streams.credential === 'user')
    errors.push({ path: 'streams.watchPresence', message: 'needs credential "device": only its own stream keeps a device online' });
  for (const [index, reader] of streams.readers.entries()) {
    const path = `streams.readers[${index}]`;
    if (names.indexOf(reader.name) < index)
      errors.push({ path: `${path}.name`, message: `"${reader.name}" is the name of readers[${names.indexOf(reader.name)}] too` });
    if (reader.way?.kind === 'poll' && channelsOf(reader).length !== 1)
      errors.push({ path: `${path}.channels`, message: 'a poll asks for one collection: name one channel' });
    if (reader.way?.kind === 'poll' && reader.pace !== undefined && reader.pace.kind !== 'normal')
      errors.push({ path: `${path}.pace`, message: 'is for streams: an answer to a poll is read at once' });
    const heartbeatMs = reader.way?.kind === 'poll' ? undefined : (reader.way?.heartbeatMs ?? heartbeatMsDefault) / scaleOf(scenario);
    if (heartbeatMs !== undefined && heartbeatMs < limits.heartbeatMsMin)
      errors.push({
        path: `${path}.way.heartbeatMs`,
        message: `is ${heartbeatMs} ms on a clock ${scaleOf(scenario)} times as fast, and the service has nothing below ${limits.heartbeatMsMin}`,
      });
  }
  return errors;
}

/** Most that are ever held at once, by a bound: every reader's own most. */
const readersMost = ({ streams, phases }: Scenario): number => (streams?.readers ?? []).reduce((sum, { name }) => sum + mostOf(phases, name), 0);

function populationErrors(scenario: Scenario): readonly ScenarioError[] {
  const { streams, phases } = scenario;
  const names = streams?.readers.map(({ name }) => name) ?? [];
  const errors = phases.flatMap(({ population = [] }, at) =>
    population.flatMap(({ reader }, index) =>
      names.includes(reader) ? [] : [{ path: `phases[${at}].population[${index}].reader`, message: `there is no reader "${reader}"${offer(reader, names)}` }],
    ),
  );
  const most = readersMost(scenario);
  const processes = streams?.processes ?? 1;
  if (most > readersPerProcessMax * processes)
    errors.push({
      path: 'streams.processes',
      message: `${most.toLocaleString('en-US')} readers need ${Math.ceil(most / readersPerProcessMax)} processes: one may open fewer than 20,000 descriptors`,
    });
  return errors;
}

function itemErrors({ streams, chains, phases }: Scenario): readonly ScenarioError[] {
  const errors: ScenarioError[] = [];
  const writing = Object.entries(chainsOf(chains)).filter(([, chain]) => chain.some((operation) => itemOperations.includes(operation)));
  for (const [name, chain] of writing) {
    if (streams === undefined) errors.push({ path: `chains.${name}`, message: 'writes items, and items belong to users: say streams.users' });
    if (chain.includes('ingest'))
      errors.push({ path: `chains.${name}`, message: 'writes events and items: the ledger keeps an arrival as one of them; make it two chains' });
    for (const follower of ['delete-once', 'share-once'])
      if (chain.includes(follower) && chain[chain.indexOf(follower) - 1] !== 'put-once')
        errors.push({ path: `chains.${name}`, message: `"${follower}" has to follow "put-once" at once: it is about the item that was just written` });
  }
  if (writing.length === 0 || streams === undefined) return errors;
  const arrivals = phases.reduce((sum, phase) => sum + arrivalCount(phase), 0);
  if ((2 * arrivals) / streams.users > changesPerUserMax)
    errors.push({ path: 'streams.users', message: `the phases plan more than ${changesPerUserMax} changes a user: more users, or fewer arrivals` });
  return errors;
}

function faultErrors(scenario: Scenario): readonly ScenarioError[] {
  const names = scenario.phases.map(({ name }) => name);
  const errors = (scenario.faults ?? []).flatMap(({ phase, atSeconds }, index): readonly ScenarioError[] => {
    const found = scenario.phases.find(({ name }) => name === phase);
    if (found === undefined) return [{ path: `faults[${index}].phase`, message: `there is no phase "${phase}"${offer(phase, names)}` }];
    return atSeconds < found.durationSeconds ? [] : [{ path: `faults[${index}].atSeconds`, message: `must lie inside the phase's ${found.durationSeconds} s` }];
  });
  const trouble = faultTrouble(scenario);
  return trouble === undefined ? errors : [...errors, { path: 'faults', message: trouble }];
}

function systemErrors(scenario: Scenario): readonly ScenarioError[] {
  const trouble = systemTrouble(scenario);
  if (trouble !== undefined) return [{ path: trouble.slice(0, trouble.indexOf(': ')), message: trouble.slice(trouble.indexOf(': ') + 2) }];
  const { balancer, nodes = 1, addresses = 1 } = scenario.system ?? {};
  const places = balancer === undefined ? nodes * addresses : 1;
  const most = readersMost(scenario);
  if (most <= portsPerDestination * places) return [];
  return [
    {
      path: balancer === undefined ? 'system.addresses' : 'system.balancer',
      message: `${most.toLocaleString('en-US')} readers, and an address has ports for ${portsPerDestination.toLocaleString('en-US')} connections of one client: ${balancer === undefined ? `say ${Math.ceil((2 * most) / portsPerDestination / nodes)}, since connecting is slow beyond half of them` : 'fewer readers, or none before the service'}`,
    },
  ];
}
