import type { WireChoice } from '#harness/engine/native/wire/wire.ts';
import type { ParsedThreshold } from '#harness/gates/threshold.ts';
import type { FitRecord } from '#harness/run-result.ts';
import type { Scenario } from '#harness/scenario.ts';
import type { UrlRequest } from '#harness/url/url-request.ts';

export const engineNames = ['native', 'k6'] as const;
export type EngineName = (typeof engineNames)[number];

export const exportWays = ['k6', 'k6-operator'] as const;
export type ExportWay = (typeof exportWays)[number];

/** Everything a run is told. Checked before: a run starts with a scenario that is right and thresholds that were parsed. */
export type RunOptions = {
  readonly scenario: Scenario;
  readonly thresholds: readonly ParsedThreshold[];
  readonly seed: number;
  /** Without it the run starts the service itself. */
  readonly target?: { readonly url: string; readonly credentialsFile: string };
  /** Instead of both: one request to any service, of which nothing else is known. */
  readonly request?: UrlRequest;
  /** Folder in which the run's own folder is made; `reports` without it. */
  readonly out?: string;
  /** No live view: only the verdict. */
  readonly quiet: boolean;
  /** Stdout belongs to the verdict's JSON, which the verb prints: a run says everything on stderr. */
  readonly json: boolean;
  readonly wire: WireChoice;
  /** What drives requests; `native` without it. */
  readonly engine?: EngineName;
  /** What was typed of the plan, for a sentence that says what to type next; the scenario's name without it. */
  readonly typed?: string;
  /** How the scenario's rates came to be scaled. */
  readonly fit?: FitRecord;
  /** False: a machine that clearly cannot hold the plan is driven all the same. */
  readonly fitCheck?: boolean;
  /** From 0, of `--repeat N` runs. */
  readonly repeatIndex?: number;
};

/** What an export is told; checked likewise. */
export type ExportOptions = Pick<RunOptions, 'scenario' | 'seed' | 'target' | 'out'> & { readonly to: ExportWay; readonly parallelism: number };

/** What `report merge` is told. */
export type MergeOptions = Pick<RunOptions, 'target' | 'out'> & { readonly folders: readonly string[] };
