import type { WireChoice } from '#harness/engine/native/wire/wire.ts';
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import type { Scenario } from '#harness/scenario.ts';

export const engineNames = ['native', 'k6'] as const;
export type EngineName = (typeof engineNames)[number];

/** Everything a run is told. Checked before: a run starts with a scenario that is right and thresholds that were parsed. */
export type RunOptions = {
  readonly scenario: Scenario;
  readonly thresholds: readonly ParsedThreshold[];
  readonly seed: number;
  /** Without it the run starts the service itself. */
  readonly target?: { readonly url: string; readonly credentialsFile: string };
  /** Folder in which the run's own folder is made; `reports` without it. */
  readonly out?: string;
  /** No live view: only the verdict. */
  readonly quiet: boolean;
  /** Stdout belongs to the verdict's JSON, which the verb prints: a run says everything on stderr. */
  readonly json: boolean;
  readonly wire: WireChoice;
  /** What drives requests; `native` without it. */
  readonly engine?: EngineName;
  /** From 0, of `--repeat N` runs. */
  readonly repeatIndex?: number;
};
