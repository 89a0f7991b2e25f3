/** A scenario that lies outside this repository imports from it by the same names as those inside. */
import { registerHooks } from 'node:module';

const ours = /^#(harness|system)\//;
let isRegistered = false;

/** The runtime resolves a `#` by the package that the importing file is in, which elsewhere knows none of ours. */
export function resolveOwnImports(): void {
  if (isRegistered) return;
  isRegistered = true;
  registerHooks({
    resolve: (specifier, context, next) => next(specifier, ours.test(specifier) ? { ...context, parentURL: import.meta.url } : context),
  });
}
