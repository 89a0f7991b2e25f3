/** One table of everything that can go wrong on the wire: RFC 9457 problems by code. */

export type ProblemCode = keyof typeof problems;

const problem = (status: number, title: string, retryable = false) => ({ status, title, retryable });

export const problems = {
  'bad-request': problem(400, 'The request is not understood'),
  'invalid-json': problem(400, 'The body is not JSON'),
  'empty-batch': problem(400, 'The batch has no event'),
  'bad-range': problem(400, 'The range or the page is not understood'),
  'bad-cursor': problem(400, 'The cursor is not one of ours'),
  'query-too-deep': problem(400, 'The query goes too deep'),
  'query-too-costly': problem(400, 'The query costs too much'),
  unauthenticated: problem(401, 'The credential is missing or not valid'),
  forbidden: problem(403, 'The credential does not allow this'),
  'not-found': problem(404, 'There is nothing here'),
  'no-location': problem(404, 'The device has no location yet'),
  'not-acceptable': problem(406, 'None of the media types asked for can be given'),
  'method-not-allowed': problem(405, 'This method is not for this address'),
  'request-timeout': problem(408, 'The request was not whole in time', true),
  'idempotency-mismatch': problem(409, 'The idempotency key belongs to another body'),
  'device-deleted': problem(409, 'The device was deleted'),
  conflict: problem(409, 'Somebody else was faster', true),
  'share-exists': problem(409, 'The item is shared with this recipient already'),
  'restart-running': problem(409, 'The workers are being restarted already', true),
  'too-many': problem(409, 'There are as many as there may be'),
  'duplicate-url': problem(409, 'The account has a webhook with this URL already'),
  'webhook-not-active': problem(409, 'The webhook is not active'),
  'token-expired': problem(410, 'The token was used, or its time is over'),
  'cursor-expired': problem(410, 'The cursor is older than what is retained'),
  'cursor-from-future': problem(410, 'The cursor lies behind the end of the log'),
  'epoch-changed': problem(410, 'The data went back in time since this cursor was given out'),
  'snapshot-expired': problem(410, 'The snapshot took longer than deletions are retained'),
  'precondition-failed': problem(412, 'The precondition does not hold'),
  'body-too-large': problem(413, 'The body is too large'),
  'item-too-large': problem(413, 'The item is too large'),
  'batch-too-large': problem(413, 'The batch has too many events'),
  'address-too-long': problem(414, 'A part of the address is too long'),
  'unsupported-media': problem(415, 'The media type or encoding is not supported'),
  'expectation-failed': problem(417, 'The expectation is not met'),
  'all-invalid': problem(422, 'No event of the batch is valid'),
  'not-processable': problem(422, 'The values do not fit together'),
  'forbidden-url': problem(422, 'The URL may not be told'),
  'headers-too-large': problem(431, 'The header is too large'),
  'too-many-streams': problem(429, 'There are as many streams as there may be', true),
  'rate-limited': problem(429, 'You exceeded your quota', true),
  'lane-shed': problem(503, 'The service has more to do than it can, and sheds this', true),
  internal: problem(500, 'The service failed', true),
  'not-implemented': problem(501, 'This part of HTTP is not spoken here'),
  'stream-ended': problem(503, 'The stream ended', true),
  'store-unavailable': problem(503, 'The store cannot keep a promise now', true),
  draining: problem(503, 'The service is going down', true),
} as const;

/** Thrown by handlers for an outcome that ends the request; turned into HTTP in one place. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly extra: Readonly<Record<string, unknown>>;
  constructor(code: ProblemCode, detail: string, extra: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.code = code;
    this.extra = extra;
  }
}

/** Whatever is wrong with a credential: the answer says no part of it. */
export const notJson = (): Problem => new Problem('invalid-json', 'The body is not JSON in UTF-8, or a text in it is half of a surrogate pair.');
export const unauthenticated = (): Problem => new Problem('unauthenticated', 'Give a valid credential in the Authorization header.');

export type ProblemDocument = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ProblemCode;
  readonly request_id: string;
  readonly retryable: boolean;
};

export function problemDocument(input: {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly instance: string;
  readonly requestId: string;
  readonly extra?: Readonly<Record<string, unknown>>;
}): ProblemDocument {
  const { status, title, retryable } = problems[input.code];
  return {
    ...input.extra,
    type: `/problems/${input.code}`,
    title,
    status,
    detail: input.detail,
    instance: input.instance,
    code: input.code,
    request_id: input.requestId,
    retryable,
  };
}
