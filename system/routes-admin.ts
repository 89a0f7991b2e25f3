import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Accounts } from './accounts/accounts.ts';
import { Problem } from './protocol/errors.ts';
import { AccountAnswer, AccountBody } from './protocol/schemas.ts';

export function adminRoutes(app: FastifyInstance, { accounts, adminToken }: { readonly accounts: Accounts; readonly adminToken: string }): void {
  const expected = hash('sha256', `Bearer ${adminToken}`, 'buffer');
  app.addHook('onRequest', (request, _reply, done) => {
    const presented = hash('sha256', request.headers.authorization ?? '', 'buffer');
    done(timingSafeEqual(presented, expected) ? undefined : new Problem('unauthenticated', 'Give the admin token as a bearer token.'));
  });
  app.post('/admin/v1/accounts', { schema: { body: AccountBody, response: { 201: AccountAnswer } } }, async (request, reply) => {
    const { name, quotas = {} } = request.body as AccountBody;
    return reply.code(201).send(await accounts.create({ name, quotas }));
  });
}
