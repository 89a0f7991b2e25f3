/** What the user gave cannot be used: exit code 2. Everything else that leaves nothing to report is 3, or 130 where the user ended it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
