/** Every error of a GraphQL answer has a `code` of ours. */
import { GraphQLError } from 'graphql';
import { Problem, type ProblemCode, problems } from '#system/protocol/errors.ts';
import { StoreUnavailable } from '#system/store/store.ts';

type Http = { readonly status: number; readonly spec?: true };
/** `http`: for answers as application/graphql-response+json; application/json is 200, as the specification has it. */
const codeOf = (code: ProblemCode, extra: Readonly<Record<string, unknown>> = {}) => ({ ...extra, code, retryable: problems[code].retryable });

/** What a resolver threw, as it is told; `log` gets what nobody should see. */
export function toldError(error: unknown, log: (text: string) => void): GraphQLError {
  if (!(error instanceof GraphQLError)) return fromCause(error, undefined, log);
  if (error.originalError != null && !(error.originalError instanceof GraphQLError)) return fromCause(error.originalError, error, log);
  return withCode(error);
}

function fromCause(cause: unknown, at: GraphQLError | undefined, log: (text: string) => void): GraphQLError {
  const place = at === undefined ? {} : { nodes: at.nodes ?? null, path: at.path ?? null };
  if (cause instanceof Problem) return new GraphQLError(cause.message, { ...place, extensions: codeOf(cause.code, cause.extra) });
  if (cause instanceof StoreUnavailable)
    return new GraphQLError(`The store cannot keep a promise now (${cause.trouble}).`, { ...place, extensions: codeOf('store-unavailable') });
  log(`GraphQL: unexpected error: ${String((cause as Error | undefined)?.stack ?? cause)}`);
  return new GraphQLError('The service failed; it was logged.', { ...place, extensions: codeOf('internal') });
}

/** Parsing, validation, variables: the engine's own codes say how it is built. */
export function withCode(error: GraphQLError): GraphQLError {
  const { code, http: given } = error.extensions as { readonly code?: string; readonly http?: Http };
  if (code !== undefined && code in problems) return error;
  // No GraphQL request at all: 400 whatever the answer's media type (audit BCF8).
  const http = code === 'BAD_REQUEST' ? { status: 400 } : given;
  return new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    path: error.path ?? null,
    ...(error.source === undefined || error.positions === undefined || error.nodes !== undefined ? {} : { source: error.source, positions: error.positions }),
    extensions: { ...codeOf('bad-request'), ...(http === undefined ? {} : { http }) },
  });
}

export const refusal = (code: ProblemCode, detail: string): GraphQLError =>
  new GraphQLError(detail, { extensions: { ...codeOf(code), http: { status: problems[code].status, spec: true } satisfies Http } });
