/** What handlers of several routes ask of a request, and say of its reply. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { jsonText } from './protocol/raw-json.ts';

/** Of a request with a credential. */
export const accountOf = (request: FastifyRequest): string => (request.caller as { account: string }).account;

/** A serializer for what is text already. */
export const asIs = (payload: unknown): string => payload as string;

/** A value with somebody's own JSON in it. */
export const sendRaw = (reply: FastifyReply, value: object): FastifyReply =>
  reply.type('application/json; charset=utf-8').serializer(asIs).send(jsonText(value));
