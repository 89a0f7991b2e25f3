/** Plan, operations and script in one file that k6 runs by itself. */
import { build } from 'esbuild';
import type { K6Options, K6Plan } from './k6-plan.ts';

export type BundleInput = {
  readonly plan: K6Plan;
  readonly options: K6Options;
  /** An import specifier, or a file's absolute path: `EngineInput.operationsModule`. */
  readonly operationsModule: string;
  /** Put before the code, as comments. */
  readonly banner?: readonly string[];
};

export async function bundleScript({ plan, options, operationsModule, banner = [] }: BundleInput): Promise<string> {
  const contents = [
    `import { operations } from ${JSON.stringify(operationsModule)};`,
    "import { createScript } from '#harness/engine/k6/script.ts';",
    `export const options = ${JSON.stringify(options)};`,
    `const script = createScript(${JSON.stringify(plan)}, operations);`,
    'export const setup = script.setup;',
    'export default script.arrive;',
  ].join('\n');
  const built = await build({
    stdin: { contents, resolveDir: import.meta.dirname, sourcefile: 'scenario.ts', loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    external: ['k6', 'k6/*'],
    banner: { js: banner.map((line) => `// ${line}`).join('\n') },
    logLevel: 'silent',
  });
  return built.outputFiles[0]?.text ?? '';
}
