/** Faults of GraphQL and its subscriptions. */
import { Socket } from 'node:net';
import type { Opening } from '#system/stream/hub.ts';
import { type Fault, withHub } from './fault.ts';

/** Subscriptions only: a stream has a socket. */
const withSubscriptions = (change: (opening: Opening) => Opening) =>
  withHub((hub) => ({ open: (opening) => hub.open(opening.socket instanceof Socket ? opening : change(opening)) }));

const writesBetweenLosses = 10;

export const graphqlFaults: readonly Fault[] = [
  {
    name: 'graphql-is-always-fine',
    breaks: ['R63'],
    about: 'answers 200 to a GraphQL request that it could not read',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.addHook('onSend', async (request, reply, payload) => {
          if (request.url.startsWith('/graphql') && reply.statusCode === 400) reply.code(200);
          return payload;
        });
      },
    }),
  },
  {
    name: 'subscription-loses',
    breaks: ['R64'],
    about: 'loses every tenth of what a subscription should carry',
    apply: withSubscriptions((opening) => {
      const { socket } = opening;
      const write = socket.write.bind(socket) as (bytes: unknown, encoding?: BufferEncoding) => boolean;
      let writes = 0;
      Object.assign(socket, { write: (bytes: unknown, encoding?: BufferEncoding) => (++writes % writesBetweenLosses === 0 ? true : write(bytes, encoding)) });
      return opening;
    }),
  },
  {
    name: 'subscription-lingers',
    breaks: ['R64'],
    about: 'goes on with a subscription whose client is gone',
    apply: withSubscriptions((opening) => {
      Object.assign(opening.socket, { destroy: () => opening.socket });
      return opening;
    }),
  },
  {
    name: 'graphql-is-the-account',
    breaks: ['R47'],
    about: 'takes whoever comes to GraphQL for the account itself',
    apply: (deps) => ({
      ...deps,
      customise: (app) => {
        app.addHook('preHandler', (request, _, done) => {
          if (request.url.startsWith('/graphql') && request.caller !== undefined) request.caller = { kind: 'account', account: request.caller.account };
          done();
        });
      },
    }),
  },
];
