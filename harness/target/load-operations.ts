import type { Operation } from './operation.ts';

/**
 * What a module exports: `operations`, or `operationsOf`, which makes them of data, since functions cross neither threads nor
 * processes. `module` is an import specifier or a file URL.
 */
export async function loadOperations(module: string, data: unknown): Promise<readonly Operation[]> {
  const { operations, operationsOf } = (await import(module)) as {
    readonly operations?: readonly Operation[];
    readonly operationsOf?: (data: unknown) => readonly Operation[];
  };
  const found = operations ?? operationsOf?.(data);
  if (found === undefined) throw new Error(`${module} exports neither operations nor operationsOf`);
  return found;
}
