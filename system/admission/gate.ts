/** Before Fastify: who gets a place, who is sent away, and who is not worth an answer any more. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { CorsPolicy } from '#system/protocol/headers/cors.ts';
import type { Lane } from './lanes.ts';
import type { Job } from './line.ts';
import type { Places } from './places.ts';
import type { Pressure } from './pressure.ts';
import type { Turns } from './turns.ts';

/** `url`: of the route that a request is for, `none` where there is none. `cors`: whose pages may read what it answers. */
export type FoundRoute = { readonly lane: Lane; readonly url: string; readonly cors: CorsPolicy };

export type GateOptions = {
  readonly places: Places;
  readonly pressure: Pick<Pressure, 'letIn' | 'takeShare'>;
  readonly turns: Pick<Turns, 'add'>;
  readonly routeOf: (method: string, url: string) => FoundRoute;
  /** Head and body of a refusal. */
  readonly refuse: (request: IncomingMessage, response: ServerResponse, route: FoundRoute, isLast: boolean) => void;
  /** A request that ended without Fastify: refused, or dropped. */
  readonly onRefused: (route: FoundRoute) => void;
  /** How long a refusal waits. */
  readonly holdMs: number;
  readonly random: () => number;
};

export type Gate = {
  /** Puts itself before the server's own listeners. */
  readonly guard: (server: Server) => void;
  /** A place for a request that comes in by another door, to be left once; undefined: it is refused. */
  readonly admit: (lane: Lane) => (() => void) | undefined;
  /** Calls back when such a refusal is to be answered; `isLast`: its connection ends with it. */
  readonly hold: (answer: HeldAnswer) => void;
  /** Before its answer: what goes on without work of its own, as a stream. */
  readonly leave: (request: IncomingMessage) => void;
  /** Of bodies whose requests are in work: what has come of them. What was only announced has cost nothing yet, and may never come. */
  readonly pendingBytes: () => number;
  readonly close: () => void;
};

const held = Symbol('place');
type Placed = IncomingMessage & { [held]?: () => void };

/** `readBefore`: of the connection, in bytes. */
type Body = { readonly bytes: number; readonly readBefore: number };

const holdTickMs = 50;
const heldMax = 4096;

export function createGate({ places, pressure, turns, routeOf, refuse, onRefused, random, holdMs }: GateOptions): Gate {
  const refusals = createHeldRefusals(holdMs);
  const takePlace = (lane: Lane, part: number): boolean => (part === 1 || pressure.takeShare(lane) || random() < part) && places.take(lane);
  const leave = (request: IncomingMessage): void => (request as Placed)[held]?.();
  const bodies = new Map<IncomingMessage, Body>();
  const enter = (request: Placed, response: ServerResponse, route: FoundRoute): void => {
    const { 'transfer-encoding': encoding, 'content-length': length } = request.headers;
    const bytes = encoding === undefined ? Number(length ?? 0) || 0 : Number.POSITIVE_INFINITY;
    if (bytes > 0) bodies.set(request, { bytes, readBefore: request.socket.bytesRead });
    request[held] = () => {
      delete request[held];
      places.leave(route.lane);
      bodies.delete(request);
    };
    response.once('close', () => leave(request));
  };
  return {
    admit: (lane) => (takePlace(lane, pressure.letIn(lane)) ? () => places.leave(lane) : undefined),
    hold: refusals.add,
    leave,
    pendingBytes: () => {
      let sum = 0;
      // What came together with the head is not counted: at most 64 KiB each.
      for (const [{ socket }, { bytes, readBefore }] of bodies) sum += Math.min(bytes, socket.bytesRead - readBefore);
      return sum;
    },
    close: refusals.close,
    guard: (server) => {
      const listeners = server.listeners('request');
      server.removeAllListeners('request');
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        const goOn = (): void => {
          for (const listener of listeners) listener.call(server, request, response);
        };
        const route = routeOf(request.method ?? 'GET', request.url ?? '/');
        const part = pressure.letIn(route.lane);
        if (!takePlace(route.lane, part)) {
          refusals.add((isLast) => {
            onRefused(route);
            if (isGone(request)) request.socket.destroy();
            else refuse(request, response, route, isLast);
          });
          return;
        }
        enter(request, response, route);
        const endWith = (end: () => void) => (): void => {
          leave(request);
          onRefused(route);
          end();
        };
        const job: Job = {
          run: goOn,
          isGone: () => isGone(request),
          drop: endWith(() => request.socket.destroy()),
          refuse: endWith(() => refuse(request, response, route, false)),
        };
        // Under pressure in the next turn at the earliest: by then it is known who closed behind his request.
        turns.add(route.lane, job, part < 1);
      });
    },
  };
}

/** Node's server itself ends a connection whose client closed its half (`httpAllowHalfOpen`). */
const isGone = ({ socket }: IncomingMessage): boolean => socket.destroyed || socket.readableEnded;

type HeldAnswer = (isLast: boolean) => void;
type HeldRefusals = { readonly add: (answer: HeldAnswer) => void; readonly close: () => void };

/** A connection whose refusal waits asks nothing meanwhile. */
function createHeldRefusals(holdMs: number): HeldRefusals {
  let ticks: HeldAnswer[][] = [];
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  const answerAll = (due: readonly HeldAnswer[]): void => {
    count -= due.length;
    for (const answer of due) answer(false);
  };
  const tick = (): void => {
    if (ticks.length * holdTickMs >= holdMs) answerAll(ticks.shift() ?? []);
    ticks.push([]);
    if (count > 0) return;
    clearInterval(timer);
    timer = undefined;
    ticks = [];
  };
  return {
    add: (answer) => {
      if (holdMs === 0) return answer(false);
      if (count >= heldMax) return answer(true);
      count++;
      if (timer === undefined) timer = setInterval(tick, holdTickMs).unref();
      if (ticks.length === 0) ticks.push([]);
      ticks.at(-1)?.push(answer);
    },
    close: () => {
      clearInterval(timer);
      timer = undefined;
      for (const due of ticks.splice(0)) answerAll(due);
    },
  };
}
