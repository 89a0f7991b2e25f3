import type { FastifyInstance } from 'fastify';
import type { Accounts } from './accounts/accounts.ts';
import type { Clock } from './clock.ts';
import { Problem } from './protocol/errors.ts';
import { readCredentials } from './protocol/headers/credentials.ts';
import { AccountAnswer, AccountBody, BackupBody } from './protocol/schemas.ts';
import { digestOf, matchesDigest } from './protocol/secrets.ts';
import type { Store } from './store/store.ts';

/** What became of the wish to restart all workers. `alone`: there is nobody who could start another process. */
export type RestartOutcome = 'started' | 'running' | 'draining' | 'alone';

export type AdminControls = {
  readonly adminToken: string;
  /** As SIGTERM does. */
  readonly startDrain: () => void;
  /** As SIGHUP does. */
  readonly restartWorkers: () => Promise<RestartOutcome>;
};

export type AdminDeps = AdminControls & { readonly accounts: Accounts; readonly store: Store; readonly clock: Clock };

export function adminRoutes(app: FastifyInstance, { accounts, adminToken, store, clock, startDrain, restartWorkers }: AdminDeps): void {
  const expected = digestOf(adminToken);
  app.addHook('onRequest', (request, _reply, done) => {
    const { scheme, token } = readCredentials(request.headers.authorization ?? '') ?? {};
    const isAdmin = scheme === 'bearer' && token !== undefined && matchesDigest(token, expected);
    done(isAdmin ? undefined : new Problem('unauthenticated', 'Give the admin token as a bearer token.'));
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
  app.post('/admin/v1/restart-workers', async (_, reply) => {
    const outcome = await restartWorkers();
    if (outcome === 'running') throw new Problem('restart-running', 'One worker after the other is being replaced.');
    if (outcome === 'draining') throw new Problem('draining', 'This service is going down.');
    if (outcome === 'alone') throw new Problem('not-found', 'This process has no supervisor that could restart it.');
    return reply.code(202).send({ restarting: true });
  });
}
