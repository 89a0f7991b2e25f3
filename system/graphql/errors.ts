/** Every error of a GraphQL answer has a `code` of ours. */
import type { GraphQLError } from 'graphql';
import { createGraphQLError } from 'graphql-yoga';
import { Problem, type ProblemCode, problems } from '#system/protocol/errors.ts';
import { StoreUnavailable } from '#system/store/store.ts';

type Http = { readonly status: number; readonly spec?: true };
/** `http`: for answers as application/graphql-response+json; application/json is 200, as the specification has it. */
const codeOf = (code: ProblemCode, extra: Readonly<Record<string, unknown>> = {}) => ({ ...extra, code, retryable: problems[code].retryable });

/** What a resolver threw, as it is told; `log` gets what nobody should see. */
export function toldError(error: unknown, log: (text: string) => void): GraphQLError {
  if (!isGraphqlError(error)) return fromCause(error, undefined, log);
  if (error.originalError != null && !isGraphqlError(error.originalError)) return fromCause(error.originalError, error, log);
  return withCode(error);
}

/** By name: a test runner may load the engine's `graphql` twice, as two modules. */
const isGraphqlError = (error: unknown): error is GraphQLError => error instanceof Error && error.name === 'GraphQLError';

function fromCause(cause: unknown, at: GraphQLError | undefined, log: (text: string) => void): GraphQLError {
  const place = at === undefined ? {} : { nodes: at.nodes ?? null, path: at.path ?? null };
  if (cause instanceof Problem) return createGraphQLError(cause.message, { ...place, extensions: codeOf(cause.code, cause.extra) });
  if (cause instanceof StoreUnavailable)
    return createGraphQLError(`The store cannot keep a promise now (${cause.trouble}).`, { ...place, extensions: codeOf('store-unavailable') });
  log(`GraphQL: unexpected error: ${String((cause as Error | undefined)?.stack ?? cause)}`);
  return createGraphQLError('The service failed; it was logged.', { ...place, extensions: codeOf('internal') });
}

/** Parsing, validation, variables: the engine's own codes say how it is built. */
export function withCode(error: GraphQLError): GraphQLError {
  const { code, http: given } = error.extensions as { readonly code?: string; readonly http?: Http };
  if (code !== undefined && code in problems) return error;
  // No GraphQL request at all: 400 whatever the answer's media type (audit BCF8).
  const http = code === 'BAD_REQUEST' ? { status: 400 } : given;
  return createGraphQLError(error.message, {
    nodes: error.nodes ?? null,
    path: error.path ?? null,
    ...(error.source === undefined || error.positions === undefined || error.nodes !== undefined ? {} : { source: error.source, positions: error.positions }),
    extensions: { ...codeOf('bad-request'), ...(http === undefined ? {} : { http }) },
  });
}

export const refusal = (code: ProblemCode, detail: string): GraphQLError =>
  createGraphQLError(detail, { extensions: { ...codeOf(code), http: { status: problems[code].status, spec: true } satisfies Http } });
