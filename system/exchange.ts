/** What handlers of several routes ask of a request, and say of its reply. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from './protocol/errors.ts';
import { judge } from './protocol/headers/preconditions.ts';
import { jsonText } from './protocol/raw-json.ts';
import { etagOf, preconditionsOf } from './sync/conditions.ts';

/** Of a request with a credential. */
export const accountOf = (request: FastifyRequest): string => (request.caller as { account: string }).account;

/** A serializer for what is text already. */
export const asIs = (payload: unknown): string => payload as string;

/** A value with somebody's own JSON in it. */
export const sendRaw = (reply: FastifyReply, value: object): FastifyReply =>
  reply.type('application/json; charset=utf-8').serializer(asIs).send(jsonText(value));

/** Tells the version that is there, undefined where there is nothing. */
export function otherVersion(reply: FastifyReply, version: number | undefined): Problem {
  if (version === undefined) return new Problem('precondition-failed', 'There is nothing here that could have this version.');
  reply.header('etag', etagOf(version));
  return new Problem('precondition-failed', `The version is ${version}.`);
}

/** Of a GET: tells the tag, and whether the client has what it stands for. Throws where the client wanted another one, and as `preconditionsOf`. */
export function isUnchanged(request: FastifyRequest, reply: FastifyReply, etag: string): boolean {
  reply.header('etag', etag);
  const outcome = judge(preconditionsOf(request.headers), etag.slice(1, -1));
  if (outcome === 'match-failed') throw new Problem('precondition-failed', `The tag is ${etag}.`);
  return outcome === 'none-match-failed';
}
