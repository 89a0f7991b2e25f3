/**
 * The parts that verbs import only when they run: `--help` and a typo must not load an engine. Addresses are data here, so that one
 * place says which part a verb needs.
 */

import type { Fitted } from '#harness/fit/find-fit.ts';
import type { Verdict } from '#harness/run-result.ts';
import type { Operation } from '#harness/target/operation.ts';
import type { ExportOptions, MergeOptions, RunOptions } from './run-options.ts';

const load = async <T>(specifier: string): Promise<T> => (await import(specifier)) as T;

export const loadRun = (): Promise<{ readonly runScenario: (options: RunOptions) => Promise<Verdict> }> => load('#harness/run.ts');
export const loadFindFit = (): Promise<{ readonly findFit: (options: RunOptions) => Promise<Fitted> }> => load('#harness/fit/find-fit.ts');
export const loadOperations = (): Promise<{ readonly operations: readonly Operation[] }> => load('#harness/target/operations.ts');
export const loadExport = (): Promise<{ readonly exportTo: (options: ExportOptions) => Promise<readonly string[]> }> => load('#harness/run-export.ts');
export const loadMerge = (): Promise<{ readonly mergeFolders: (options: MergeOptions) => Promise<Verdict> }> => load('#harness/run-merge.ts');
export const loadRunFolder = (): Promise<{ readonly writeReports: (folder: string) => unknown }> => load('#harness/run-folder/run-folder.ts');
