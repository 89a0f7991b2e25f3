/** A scenario as files that k6 runs without us: the script, its devices, what a merge has to know, and how to use them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExportWay } from '#harness/command/run-options.ts';
import type { ArrivalPhase } from '#harness/pacing/plan.ts';
import { chainsOf, type Scenario, thinkTimesOf, timeoutMsOf } from '#harness/scenario.ts';
import type { DeviceCredentials } from '#harness/target/operation.ts';
import { bundleScript } from './bundle.ts';
import { type K6Plan, k6OptionsOf, k6PlanOf } from './k6-plan.ts';
import { k6Thresholds } from './k6-thresholds.ts';
import { type Manifests, operatorManifests, scriptsClaim } from './operator.ts';
import { csvTimeFormat } from './samples.ts';

export type ExportInput = {
  readonly to: ExportWay;
  readonly scenario: Scenario;
  readonly phases: readonly ArrivalPhase[];
  readonly seed: number;
  readonly run: string;
  readonly targetUrl: string;
  /** Undefined where nobody said at which service they were to be registered. */
  readonly devices: readonly DeviceCredentials[] | undefined;
  /** Pods of the operator. */
  readonly parallelism: number;
  /** Made if it is not there. */
  readonly folder: string;
};

/** `plan.json`: what folds samples into a run again. */
export type Exported = { readonly version: 1; readonly plan: K6Plan; readonly phases: readonly ArrivalPhase[]; readonly scenario: Scenario };

const devicesFile = 'devices.json';

export async function exportScenario(input: ExportInput): Promise<readonly string[]> {
  const { scenario, phases, folder, devices } = input;
  const plan = planOf(input);
  const options = { ...k6OptionsOf(plan, phases), thresholds: k6Thresholds(scenario) };
  const script = await bundleScript({ plan, options, operationsModule: '#harness/target/operations.ts', banner: [titleOf(scenario)] });
  const scriptFile = `${scenario.name}.js`;
  const exported: Exported = {
    version: 1,
    plan,
    phases,
    scenario: { ...scenario, thresholds: scenario.thresholds.filter(({ metric }) => !isOfHarness(metric)) },
  };
  const files: Record<string, string> = { [scriptFile]: script };
  if (devices !== undefined) files[devicesFile] = JSON.stringify(devices);
  const manifests = input.to === 'k6' ? undefined : manifestsOf(input, { scriptFile, files });
  const all: Record<string, string> = {
    ...files,
    'plan.json': json(exported),
    'README.md': `# ${scenario.name}\n\n${usageOf(input, manifests).join('\n')}\n`,
    ...(manifests?.configMap === undefined ? {} : { 'configmap.json': json(manifests.configMap) }),
    ...(manifests === undefined ? {} : { 'testrun.json': json(manifests.testRun) }),
  };
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text);
  return Object.keys(all).map((name) => join(folder, name));
}

/** What only a harness that is there while it happens can see. */
const isOfHarness = (metric: string): boolean => /^(pipeline_drain_seconds|dispatch_delay|read_uncertainty|cpu|system)/.test(metric);

function planOf({ scenario, phases, seed, run, targetUrl }: ExportInput): K6Plan {
  const { fleet, chains } = scenario;
  const timeoutMs = timeoutMsOf(fleet);
  return k6PlanOf({
    run,
    seed,
    baseUrl: targetUrl,
    deviceCount: fleet.devices,
    eventsPerBatch: fleet.eventsPerBatch ?? 1,
    timeoutMs,
    goodWithinMs: fleet.goodWithinMs ?? timeoutMs,
    chains: chainsOf(chains),
    thinkTimes: thinkTimesOf(chains),
    connection: fleet.connection,
    phases,
  });
}

const manifestsOf = (
  { scenario, run, parallelism, targetUrl }: ExportInput,
  written: { readonly scriptFile: string; readonly files: Readonly<Record<string, string>> },
): Manifests => operatorManifests({ name: scenario.name, run, parallelism, targetUrl, csvTimeFormat, ...written });

const titleOf = ({ name }: Scenario): string => `The scenario ${name} of Headroom for k6 2: even arrivals, as many as its plan has.`;

function usageOf({ to, scenario, devices }: ExportInput, manifests: Manifests | undefined): readonly string[] {
  const script = `${scenario.name}.js`;
  const lines = [titleOf(scenario)];
  if (to === 'k6') lines.push(`Run: K6_CSV_TIME_FORMAT=${csvTimeFormat} k6 run --out csv=samples.csv -e HEADROOM_TARGET=http://HOST:PORT ${script}`);
  else if (manifests?.configMap === undefined)
    lines.push(`Copy ${script} and ${devicesFile} to the claim ${scriptsClaim} (they are too large for a ConfigMap), then: kubectl apply -f testrun.json`);
  else lines.push('Run: kubectl apply -f configmap.json -f testrun.json; the pods write their samples to the claim headroom-results.');
  lines.push(
    devices === undefined
      ? `It needs ${devicesFile} beside it, a list of {deviceId, token, secret, publishable}: export again with --target and --credentials to have it made.`
      : `The devices of ${devicesFile} are registered; their tokens are good for as long as the service made them, usually an hour.`,
    'Verdict: put the samples (*.csv) beside plan.json, then: npm run report -- merge FOLDER --target URL --credentials FILE',
  );
  return lines;
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
