/** How a command ends: the codes of verdicts, and those of what never came to one. */
import { InterruptedError } from '#harness/interrupted-error.ts';
import { exitCodes as verdictCodes } from '#harness/run-result.ts';
import { UsageError } from '#harness/usage-error.ts';

export const exitCodes = {
  ...verdictCodes,
  usage: 2,
  /** Headroom itself broke, or its output could not be written: nothing is said about the service. */
  broken: 5,
} as const;

export const exitCodesText = [
  'Exit codes:',
  '  0 pass   1 fail   2 usage error   3 invalid measurement   130 interrupted',
  '  3 with "this machine holds about N/s": the machine is too small for the plan; --fit scales all rates to what it holds',
  '  4 inconclusive: of --repeat runs some passed and the others could not be trusted',
  '  5 broken: Headroom itself failed, and says nothing about the service',
].join('\n');

export type Ending = { readonly code: number; readonly text: string };

/** Of what was thrown: a sentence of ours says all there is to say; anything else is a fault that somebody has to find. */
export function endingOf(error: unknown): Ending {
  if (error instanceof UsageError) return { code: exitCodes.usage, text: `${error.message}\n` };
  if (error instanceof InterruptedError) return { code: exitCodes.interrupted, text: `${error.message}\n` };
  return isSentence(error) ? { code: exitCodes.invalid, text: `${error.message}\n` } : brokenBy(error);
}

/** Also of what nobody caught, whoever threw it. */
export function brokenBy(error: unknown): Ending {
  const trace = error instanceof Error ? error.stack : String(error);
  return { code: exitCodes.broken, text: `Headroom itself broke, which says nothing about the service:\n${trace}\n` };
}

const languageErrors = [TypeError, RangeError, ReferenceError, SyntaxError, EvalError] as const;
/** Of the disk and the descriptors under the harness; what the network says is about the service. */
const machineCodes = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'EMFILE', 'ENFILE', 'ENOENT', 'EISDIR', 'ENOTDIR', 'ENOMEM'];

/** What this code throws on purpose is a plain Error or an own kind of it; the language's and the machine's are nobody's purpose. */
const isSentence = (error: unknown): error is Error =>
  error instanceof Error && !languageErrors.some((kind) => error instanceof kind) && !machineCodes.includes(String((error as NodeJS.ErrnoException).code));
