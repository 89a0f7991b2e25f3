/** What a fault is, and ways to put one in. */
import type { FastifyReply } from 'fastify';
import type { PlainDeps } from '#system/app.ts';
import type { Store } from '#system/store/store.ts';
import type { Hub } from '#system/stream/hub.ts';

export type Fault = {
  readonly name: string;
  /** Rules of the contract that it breaks. */
  readonly breaks: readonly string[];
  readonly about: string;
  readonly apply: (deps: PlainDeps) => PlainDeps;
  /** It knows no limit of descriptors. */
  readonly acceptsAll?: boolean;
  /** A restore does not renew the epoch. */
  readonly keepsEpoch?: boolean;
  /** A name in faulty-pipeline.ts. */
  readonly pipeline?: string;
  /** A trouble of the disk rather than a fault: the service has to notice. Only once devices have their tokens. */
  readonly flush?: (real: () => Promise<void>) => Promise<void>;
};

export const withStore =
  (change: (store: Store) => Partial<Store>) =>
  (deps: PlainDeps): PlainDeps => ({ ...deps, store: { ...deps.store, ...change(deps.store) } });

export const withHook =
  (change: (reply: FastifyReply) => void) =>
  (deps: PlainDeps): PlainDeps => ({
    ...deps,
    customise: (app) => {
      app.addHook('onSend', async (_, reply, payload) => {
        change(reply);
        return payload;
      });
    },
  });

export const withHub =
  (change: (hub: Hub) => Partial<Hub>) =>
  (deps: PlainDeps): PlainDeps => ({ ...deps, wrapHub: (hub) => ({ ...hub, ...change(hub) }) });
