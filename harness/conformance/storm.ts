/** A small driver for rules about overload: requests at planned times over a bounded number of connections, whatever the answers do. Latency counts from the planned time. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ResponseParser } from '#harness/engine/native/wire/response-parser.ts';

export type StormPlan = {
  readonly url: string;
  /** Undefined: as fast as answers come, one on each connection. */
  readonly ratePerSecond: number | undefined;
  readonly seconds: number;
  readonly connections: number;
  /** The whole request, by its index. */
  readonly requestOf: (i: number) => string;
  /** Ends before its time once so many were good. */
  readonly goodMax?: number;
  /** What clients do with a refusal: give up, come back when they were told to, or at once, three times. */
  readonly onRefusal: 'give-up' | 'honour' | 'hammer';
  /** An answer that comes later than this is worth nothing, and a client that waited so long to be sent has gone. */
  readonly patienceMs: number;
  /** Whoever waited so long for his answer closes the connection, and the next one opens another. */
  readonly cutsOff?: boolean;
};

export type Stormed = {
  readonly planned: number;
  readonly good: number;
  readonly refused: number;
  /** Other statuses, broken connections, and what was too late. */
  readonly failed: number;
  readonly seconds: number;
  /** Of all answers, sorted; what never came counts as the patience. */
  readonly latenciesMs: readonly number[];
  readonly retryAfters: readonly (string | undefined)[];
  readonly statuses: Readonly<Record<string, number>>;
};

type Arrival = { readonly i: number; readonly plannedMs: number; readonly attempt: number };
/** In the order in which they were sent, which is about that in which their patience ends. */
type Patience = { readonly noteSent: (line: Line) => void; readonly cutOff: (nowMs: number) => void };
type Line = { readonly socket: Socket; readonly parser: ResponseParser; arrival: Arrival | undefined; isUp: boolean };

const tickMs = 4;
const attemptsMax = 3;

type Book = {
  readonly totals: { planned: number; good: number; refused: number; failed: number };
  readonly fail: (what: string) => void;
  /** An answer; true where the client is refused. */
  readonly settle: (parser: ResponseParser, plannedMs: number) => boolean;
  readonly close: () => Pick<Stormed, 'latenciesMs' | 'retryAfters' | 'statuses'>;
};

function createBook({ patienceMs }: StormPlan): Book {
  const latenciesMs: number[] = [];
  const retryAfters: (string | undefined)[] = [];
  const statuses: Record<string, number> = {};
  const totals = { planned: 0, good: 0, refused: 0, failed: 0 };
  return {
    totals,
    close: () => ({ latenciesMs: latenciesMs.sort((a, b) => a - b), retryAfters, statuses }),
    fail: (what) => {
      totals.failed++;
      statuses[what] = (statuses[what] ?? 0) + 1;
      latenciesMs.push(patienceMs);
    },
    settle: (parser, plannedMs) => {
      const tookMs = performance.now() - plannedMs;
      const { status } = parser;
      statuses[status] = (statuses[status] ?? 0) + 1;
      latenciesMs.push(tookMs);
      if (status === 429 || status === 503) {
        totals.refused++;
        retryAfters.push(parser.header('retry-after'));
        return true;
      }
      if (status >= 300 || tookMs > patienceMs) totals.failed++;
      else totals.good++;
      return false;
    },
  };
}

function createPatience({ patienceMs, cutsOff = false }: StormPlan): Patience {
  let sent: { readonly line: Line; readonly arrival: Arrival }[] = [];
  let next = 0;
  return {
    noteSent: (line) => {
      if (cutsOff && line.arrival !== undefined) sent.push({ line, arrival: line.arrival });
    },
    cutOff: (nowMs) => {
      for (let one = sent[next]; one !== undefined && nowMs - one.arrival.plannedMs > patienceMs; one = sent[++next]) {
        if (one.line.arrival === one.arrival) one.line.socket.destroy();
      }
      if (next < sent.length / 2) return;
      sent = sent.slice(next);
      next = 0;
    },
  };
}

export async function driveStorm(plan: StormPlan): Promise<Stormed> {
  const { hostname, port } = new URL(plan.url);
  const waiting: Arrival[] = [];
  const idle: Line[] = [];
  const lines = new Set<Line>();
  const { totals, fail, settle, close } = createBook(plan);
  const patience = createPatience(plan);
  const beganMs = performance.now();
  const endMs = beganMs + plan.seconds * 1000;
  let finishedMs = 0;
  const isOver = (): boolean => performance.now() >= endMs || totals.good >= (plan.goodMax ?? Number.POSITIVE_INFINITY);
  const finish = (line: Line): void => {
    const { arrival, parser } = line;
    line.arrival = undefined;
    if (arrival === undefined || !settle(parser, arrival.plannedMs) || plan.onRefusal === 'give-up') return;
    const { i, attempt } = arrival;
    if (plan.onRefusal === 'hammer') {
      if (attempt < attemptsMax) waiting.push({ ...arrival, attempt: attempt + 1 });
    } else {
      const again = (): void => void (isOver() || waiting.push({ i, plannedMs: performance.now(), attempt: 1 }));
      setTimeout(again, Number(parser.header('retry-after')) * 1000).unref();
    }
  };
  const send = (line: Line): void => {
    let arrival = waiting.shift();
    while (arrival !== undefined && performance.now() - arrival.plannedMs > plan.patienceMs) {
      fail('gave up');
      arrival = waiting.shift();
    }
    if (arrival === undefined && plan.ratePerSecond === undefined && !isOver()) arrival = { i: totals.planned++, plannedMs: performance.now(), attempt: 1 };
    if (arrival === undefined) return void idle.push(line);
    line.arrival = arrival;
    patience.noteSent(line);
    line.parser.reset();
    line.socket.write(plan.requestOf(arrival.i));
  };
  const open = (): void => {
    const line: Line = { socket: connect({ host: hostname, port: Number(port), noDelay: true }), parser: new ResponseParser(), arrival: undefined, isUp: true };
    lines.add(line);
    line.socket.on('connect', () => send(line));
    line.socket.on('data', (bytes: Buffer) => {
      const state = line.parser.push(bytes, 0, bytes.length);
      if (state === 'more') return;
      finish(line);
      if (line.parser.keepAlive) send(line);
      else line.socket.destroy();
    });
    line.socket.on('error', () => undefined);
    line.socket.on('close', () => {
      lines.delete(line);
      if (line.arrival !== undefined) fail(plan.cutsOff === true ? 'cut off' : 'cut');
      line.arrival = undefined;
      const at = idle.indexOf(line);
      if (at >= 0) idle.splice(at, 1);
      if (!isOver()) setTimeout(open, tickMs);
    });
  };
  for (let i = 0; i < plan.connections; i++) open();
  const fire = (nowMs: number): void => {
    const due = plan.ratePerSecond === undefined ? 0 : Math.floor((Math.min(nowMs, endMs) - beganMs) * (plan.ratePerSecond / 1000));
    for (; totals.planned < due; totals.planned++)
      waiting.push({ i: totals.planned, plannedMs: beganMs + (totals.planned * 1000) / (plan.ratePerSecond ?? 1), attempt: 1 });
    for (let free = Math.min(idle.length, waiting.length); free > 0; free--) send(idle.shift() as Line);
  };
  for (;;) {
    const nowMs = performance.now();
    fire(nowMs);
    patience.cutOff(nowMs);
    if (isOver()) finishedMs ||= nowMs;
    // What is on its way has its patience, and no more.
    if (finishedMs > 0 && (nowMs >= finishedMs + plan.patienceMs || [...lines].every(({ arrival }) => arrival === undefined))) break;
    await sleep(tickMs);
  }
  for (const line of [...lines]) {
    if (line.arrival !== undefined) fail('never answered');
    line.arrival = undefined;
    line.socket.destroy();
  }
  return { ...totals, ...close(), seconds: (finishedMs - beganMs) / 1000 };
}

export const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;

/** One request's bytes. */
export function requestText(asked: { readonly method: string; readonly path: string; readonly authorization: string; readonly body?: string }): string {
  const { method, path, authorization, body = '' } = asked;
  const type = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n${type}\r\n${body}`;
}
