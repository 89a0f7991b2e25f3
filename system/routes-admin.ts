import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Accounts } from './accounts/accounts.ts';
import type { Clock } from './clock.ts';
import { Problem } from './protocol/errors.ts';
import { AccountAnswer, AccountBody, BackupBody } from './protocol/schemas.ts';
import type { Store } from './store/store.ts';

export type AdminDeps = {
  readonly accounts: Accounts;
  readonly adminToken: string;
  readonly store: Store;
  readonly clock: Clock;
  /** As SIGTERM does. */
  readonly startDrain: () => void;
};

export function adminRoutes(app: FastifyInstance, { accounts, adminToken, store, clock, startDrain }: AdminDeps): void {
  const expected = hash('sha256', `Bearer ${adminToken}`, 'buffer');
  app.addHook('onRequest', (request, _reply, done) => {
    const presented = hash('sha256', request.headers.authorization ?? '', 'buffer');
    done(timingSafeEqual(presented, expected) ? undefined : new Problem('unauthenticated', 'Give the admin token as a bearer token.'));
  });
  app.post('/admin/v1/accounts', { schema: { body: AccountBody, response: { 201: AccountAnswer } } }, async (request, reply) => {
    const { name, quotas = {} } = request.body as AccountBody;
    return reply.code(201).send(await accounts.create({ name, quotas }));
  });
  app.post('/admin/v1/backup', { schema: { body: BackupBody } }, async (request, reply) => {
    const { folder } = request.body as BackupBody;
    if (store.backup === undefined) throw new Problem('not-found', 'This store has its own ways to be backed up.');
    const takenAtMs = clock.wallMs();
    const { bytes, epoch } = await store.backup(folder).catch((error: Error) => {
      throw new Problem('not-processable', `The backup was not taken: ${error.message.split('\n', 1)[0]}`);
    });
    return reply.code(201).send({ folder, bytes, epoch, taken_at: new Date(takenAtMs).toISOString() });
  });
  app.post('/admin/v1/drain', async (_, reply) => {
    startDrain();
    return reply.code(202).send({ draining: true });
  });
}
