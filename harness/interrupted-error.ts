/** The user ended a run of which there is nothing to report yet: exit code 130, as of a run that was interrupted later. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}
