/** Answers for pages of other origins: what each may read, and the question that a browser asks before. */
import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify';
import type { RouteTable } from './admission/routes.ts';
import { Problem } from './protocol/errors.ts';
import { type CorsPolicy, type CorsSettings, corsHeaders, preflightHeaders } from './protocol/headers/cors.ts';

/** Of a route by who may call it, where it says nothing itself. What is not there is a problem that everybody may read. */
export const corsPolicyOf = ({ cors, callers }: FastifyContextConfig = {}): CorsPolicy =>
  cors ?? (callers?.every((caller) => caller === 'account') === true ? 'secret' : 'open');

export const corsHeadersOf = (settings: CorsSettings, request: FastifyRequest): Readonly<Record<string, string>> =>
  corsHeaders(settings, { origin: request.headers.origin, method: request.method, policy: corsPolicyOf(request.routeOptions.config) });

export function corsRoutes(app: FastifyInstance, settings: CorsSettings, table: Pick<RouteTable, 'find'>): void {
  app.addHook('onSend', (request, reply, _payload, done) => {
    // A preflight has its own.
    if (request.method !== 'OPTIONS') reply.headers(corsHeadersOf(settings, request));
    done();
  });
  // With the lane of what is never shed: without its answer a browser shows nothing of the one that comes behind it.
  app.options('*', { config: { lane: 'health' }, schema: { hide: true } }, (request, reply) => {
    const { origin, 'access-control-request-method': method } = request.headers;
    const path = request.url.split('?', 1)[0] as string;
    if (origin === undefined || method === undefined) throw new Problem('not-found', `No route OPTIONS ${path}.`);
    const route = table.find(method, request.url);
    if (route.url === 'none') throw new Problem('not-found', `No route ${method} ${path}.`);
    const headers = preflightHeaders(settings, { origin, policy: route.cors });
    if (headers === undefined) throw new Problem('forbidden', 'Pages of this origin may not ask here: --cors-origins and --cors-secret-origins say which may.');
    return reply.code(204).headers(headers).send();
  });
}
