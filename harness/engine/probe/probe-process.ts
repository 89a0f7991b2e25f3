/**
 * A second pair of eyes: a process of its own with one connection that sends the same operation at a low Poisson rate and times
 * it with node's own HTTP client. It shares no timing code with the engine, so that the two can disagree.
 */

import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { arrivalState } from '#harness/engine/engine.ts';
import { messageOf } from '#harness/message-of.ts';
import { noItems, type Operation, type OperationContext } from '#harness/target/operation.ts';
import type { ProbeInput, ProbeMessage, ProbeSample } from './probe.ts';

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly serviceMicros: number;
};

function createSender(input: ProbeInput) {
  const { host, port, tls, pathPrefix } = input.target;
  const options = { keepAlive: true, maxSockets: 1, scheduling: 'fifo' as const };
  const agent =
    tls === undefined
      ? new HttpAgent(options)
      : new HttpsAgent({ ...options, servername: tls.serverName ?? '', ...(tls.ca === undefined ? {} : { ca: tls.ca }) });
  const send = tls === undefined ? httpRequest : httpsRequest;
  return (built: ReturnType<Operation['request']>): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = Object.fromEntries(built.headers.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
      headers['Content-Length'] = String(Buffer.byteLength(built.body));
      let writtenNs = 0n;
      const outgoing = send({ agent, host, port, method: built.method, path: pathPrefix + built.path, headers }, (incoming) => {
        let body = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          body += chunk;
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body, serviceMicros: Number(process.hrtime.bigint() - writtenNs) / 1000 });
        });
      });
      // Times from the write on a connection that is open: connecting is not service.
      outgoing.on('socket', (socket) => {
        const start = () => {
          writtenNs = process.hrtime.bigint();
          outgoing.end(built.body);
        };
        if (socket.connecting) socket.once(tls === undefined ? 'connect' : 'secureConnect', start);
        else start();
      });
      outgoing.setTimeout(input.timeoutMs, () => outgoing.destroy(new Error('timed out')));
      outgoing.on('error', reject);
    });
}

async function probe(input: ProbeInput): Promise<void> {
  const { operations } = (await import(input.operationsModule)) as { operations: readonly Operation[] };
  const operation = operations.find(({ name }) => name === input.operation);
  if (operation === undefined) throw new Error(`the probe knows no operation ${input.operation}`);
  const send = createSender(input);
  const say = (message: ProbeMessage) => process.send?.(message);
  let samples: ProbeSample[] = [];
  const flush = setInterval(() => {
    say({ kind: 'samples', samples });
    samples = [];
  }, 500);
  let stopping = false;
  process.on('message', (message) => {
    if (message === 'stop') stopping = true;
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches the whole group; the run decides.
  process.on('SIGINT', () => undefined);
  const sinceOriginMs = () => Number(process.hrtime.bigint() - BigInt(input.originNs)) / 1e6;
  let dueMs = sinceOriginMs();
  for (let arrival = 0; !stopping && arrival < input.arrivalsMax; arrival++) {
    dueMs += (-Math.log(1 - Math.random()) * 1000) / input.ratePerSecond;
    const waitMs = dueMs - sinceOriginMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    else dueMs = sinceOriginMs();
    if (stopping) break;
    const context: OperationContext = {
      run: input.run,
      arrival,
      device: input.device,
      eventsPerBatch: input.eventsPerBatch,
      intendedWallMs: Date.now(),
      chance: Math.random(),
      items: noItems,
    };
    const atMs = sinceOriginMs();
    samples.push(await takeSample({ operation, context, send, atMs }));
  }
  clearInterval(flush);
  say({ kind: 'samples', samples });
  say({ kind: 'done' });
  process.disconnect?.();
}

type Taking = { readonly operation: Operation; readonly context: OperationContext; readonly send: ReturnType<typeof createSender>; readonly atMs: number };

async function takeSample({ operation, context, send, atMs }: Taking): Promise<ProbeSample> {
  try {
    const answer = await send(operation.request(context));
    const header = (name: string) => {
      const value = answer.headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
    const judged = operation.judge({ status: answer.status, header, body: answer.body }, context);
    const state = judged.kind === 'good' ? arrivalState.acknowledged : arrivalState.refused;
    return { atMs, serviceMicros: answer.serviceMicros, kind: judged.kind, state };
  } catch {
    return { atMs, serviceMicros: 0, kind: 'failed', state: arrivalState.unknown };
  }
}

process.once('message', (input) => {
  probe(input as ProbeInput).catch((error: unknown) => {
    process.send?.({ kind: 'trouble', text: messageOf(error) } satisfies ProbeMessage);
    process.disconnect?.();
  });
});
