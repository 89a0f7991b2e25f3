/** What handlers of several routes ask of a request, and say of its reply. */
import type { FastifyRequest } from 'fastify';

/** Of a request with a credential. */
export const accountOf = (request: FastifyRequest): string => (request.caller as { account: string }).account;

/** A serializer for what is text already. */
export const asIs = (payload: unknown): string => payload as string;
