/** `npm run scenario -- export NAME --to k6`. Resolves to the exit code. */
import { k6Trouble } from '#harness/engine/k6/k6-trouble.ts';
import { scenarioNames } from '#harness/scenario-load.ts';
import { exitCodes } from './exit-codes.ts';
import { loadExport } from './modules.ts';
import { readScenario, type ScenarioArguments, type Surroundings } from './scenario-verb.ts';

export async function exportVerb(args: ScenarioArguments, around: Surroundings): Promise<number> {
  const wrong = (text: string): number => {
    around.say.err(`${text}\n`);
    return exitCodes.usage;
  };
  if (args.exported === undefined) return wrong(`export which scenario? There is ${scenarioNames().join(', ')}`);
  const checked = await readScenario(args.exported, args, around);
  if (typeof checked === 'string') return wrong(checked);
  const trouble = k6Trouble(checked.scenario);
  if (trouble !== undefined) return wrong(trouble);
  const { target, credentials, seed, out, to = 'k6', parallelism = 2 } = args;
  const { exportTo } = await loadExport();
  const files = await exportTo({
    scenario: checked.scenario,
    seed,
    to,
    parallelism,
    ...(target === undefined || credentials === undefined ? {} : { target: { url: target, credentialsFile: credentials } }),
    ...(out === undefined ? {} : { out }),
  });
  around.say.out(`${files.join('\n')}\n`);
  return 0;
}
