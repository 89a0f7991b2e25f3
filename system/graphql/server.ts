/** The engine with our schema, bounds and errors. It knows no sockets: a subscription comes back as its events. */
import { type GraphQLError, parse } from 'graphql';
import { createSchema, createYoga, type Plugin } from 'graphql-yoga';
import { limits } from '#system/protocol/limits.ts';
import { jsonText } from '#system/protocol/raw-json.ts';
import { measureOperation } from './costs.ts';
import { refusal, toldError, withCode } from './errors.ts';
import { device, query } from './queries.ts';
import { typeDefs } from './schema.ts';
import type { Context } from './sources.ts';
import { device as deviceStates, devices as devicesStates, stream } from './subscriptions.ts';

export type GraphqlBounds = { readonly depthMax: number; readonly costMax: number };
export const graphqlDefaults: GraphqlBounds = { depthMax: 10, costMax: 20_000 };
export const introspectionDepthMax = 15;

export type Asked = { readonly method: string; readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string | undefined };
export type Events = AsyncIterable<unknown>;
export type GraphqlAnswer = { readonly kind: 'answer'; readonly response: Response } | { readonly kind: 'events'; readonly events: Events };

export type GraphqlServer = { readonly ask: (asked: Asked, context: Context) => Promise<GraphqlAnswer> };

/** Where a subscription's events are put instead of into a body; the engine hands copies of the context around. */
type Carrying = Context & { readonly carried: { events?: Events } };

export function createGraphqlServer({ bounds, log }: { readonly bounds: GraphqlBounds; readonly log: (text: string) => void }): GraphqlServer {
  const told = (error: unknown): GraphQLError => toldError(error, log);
  const yoga = createYoga<Carrying>({
    schema: createSchema<Carrying>({
      typeDefs,
      resolvers: { Query: query, Device: device, Subscription: { stream, device: deviceStates, devices: devicesStates } },
    }),
    graphqlEndpoint: '/graphql',
    fetchAPI: { Request, Response, Headers, ReadableStream, TextEncoder, URL },
    batching: false,
    multipart: false,
    graphiql: false,
    landingPage: false,
    cors: false,
    logging: false,
    maxRequestBodySize: limits.graphqlBytesMax,
    maskedErrors: { maskError: told },
    plugins: [boundsPlugin(bounds), answersPlugin],
  });
  return {
    ask: async ({ method, url, headers, body }, context) => {
      const carried: Carrying['carried'] = {};
      const request = new Request(url, { method, headers, ...(body === undefined ? {} : { body }) });
      const response = (await yoga.fetch(request, { ...context, carried })) as Response;
      return carried.events === undefined ? { kind: 'answer', response } : { kind: 'events', events: carried.events };
    },
  };
}

function boundsPlugin({ depthMax, costMax }: GraphqlBounds): Plugin {
  type Operation = { readonly document: Parameters<typeof measureOperation>[0]; readonly operationName?: string | null; readonly variableValues?: unknown };
  const refusalOf = ({ document, operationName, variableValues }: Operation): GraphQLError | undefined => {
    const measured = measureOperation(document, operationName, (variableValues ?? {}) as Record<string, unknown>);
    if (measured === undefined) return undefined;
    if (measured.depth > depthMax) return refusal('query-too-deep', `The operation has ${measured.depth} levels; ${depthMax} may be.`);
    if (measured.introspectionDepth > introspectionDepthMax)
      return refusal('query-too-deep', `Introspection has ${measured.introspectionDepth} levels; ${introspectionDepthMax} may be.`);
    if (measured.cost > costMax) return refusal('query-too-costly', `The operation may bring ${measured.cost} fields; ${costMax} may be.`);
    return undefined;
  };
  return {
    onParse: ({ setParseFn }) => setParseFn((source, options) => parse(source, { ...options, maxTokens: limits.graphqlTokensMax })),
    onExecute: ({ args, setResultAndStopExecution }) => {
      const error = refusalOf(args);
      if (error !== undefined) setResultAndStopExecution({ errors: [error] });
    },
    onSubscribe: ({ args, setResultAndStopExecution }) => {
      const error = refusalOf(args);
      if (error !== undefined) setResultAndStopExecution({ errors: [error] });
    },
  };
}

const answersPlugin: Plugin<object, Carrying> = {
  onResultProcess: ({ result, setResult, setResultProcessor, serverContext }) => {
    if (Symbol.asyncIterator in result) {
      serverContext.carried.events = result;
      setResultProcessor(() => new Response(null), 'text/event-stream');
    } else if (!Array.isArray(result)) {
      const errors = 'errors' in result && result.errors !== undefined ? { errors: result.errors.map(withCode) } : {};
      setResult({ ...result, ...errors, stringify: jsonText });
    }
  },
};
