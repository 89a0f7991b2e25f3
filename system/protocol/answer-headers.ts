/** What answers tell in their headers, for the description. */

const header = (description: string, more: object = {}) => ({ description, schema: { type: 'string', ...more } });

export const answerHeaders = {
  ETag: header('What is there, for If-Match and If-None-Match'),
  'Retry-After': header('Seconds to wait at 429 and 503, not the same for everybody', { pattern: '^[0-9]+$' }),
  'WWW-Authenticate': header('How to authenticate, at 401'),
  'Sync-Cursor': header('Where the changes after this one begin, as since takes it'),
  'Sync-Epoch': header('Of the data: another one means that cursors before it are void'),
  'Export-Cursor': header('Where the next page begins, as after takes it'),
  'Pagination-Token': header('Of the next page of lines; none at the end'),
} as const;

export type HeaderName = keyof typeof answerHeaders;

/** References by name, as an answer has them. */
export const headersOf = (...names: readonly HeaderName[]): object => Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
