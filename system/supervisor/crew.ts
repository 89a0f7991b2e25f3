/** The worker processes: started, known, and missed when they end. */
import cluster, { type Worker } from 'node:cluster';
import type { ToSupervisor, ToWorker } from './messages.ts';

export type Member = {
  readonly worker: Worker;
  readonly bornMs: number;
  /** `leaving`: others do its work already. */
  state: 'starting' | 'listening' | 'leaving' | 'ended';
  /** False: it ended before it listened. */
  readonly started: Promise<boolean>;
  readonly ended: Promise<void>;
};

export type CrewOptions = {
  /** Beside the parent's own. */
  readonly environment: Readonly<Record<string, string>>;
  readonly hear: (member: Member, message: ToSupervisor) => void;
  readonly onEnded: (member: Member, reason: string) => void;
};

export type Crew = {
  readonly start: () => Member;
  /** All that have not ended. */
  readonly members: () => readonly Member[];
  /** That listen or are about to, and stay. */
  readonly standing: () => number;
  readonly live: () => readonly Worker[];
  /** Of those that listen or leave. */
  readonly pids: () => readonly number[];
  readonly send: (worker: Worker, message: ToWorker) => void;
  readonly passOn: (from: Worker, message: ToWorker) => void;
};

export function createCrew({ environment, hear, onEnded }: CrewOptions): Crew {
  const members = new Set<Member>();
  const live = (): readonly Worker[] => [...members].flatMap(({ worker }) => (worker.isConnected() ? [worker] : []));
  const send: Crew['send'] = (worker, message) => void (worker.isConnected() && worker.send(message, () => undefined));
  return {
    live,
    send,
    members: () => [...members],
    standing: () => [...members].filter(({ state }) => state !== 'leaving').length,
    pids: () => [...members].flatMap(({ worker, state }) => (state === 'starting' ? [] : [worker.process.pid as number])),
    passOn: (from, message) => {
      for (const worker of live()) if (worker.id !== from.id) send(worker, message);
    },
    start: () => {
      const worker = cluster.fork({ ...environment });
      const started = Promise.withResolvers<boolean>();
      const ended = Promise.withResolvers<void>();
      const member: Member = { worker, bornMs: performance.now(), state: 'starting', started: started.promise, ended: ended.promise };
      members.add(member);
      worker.on('message', (message: ToSupervisor) => {
        if (message.kind === 'listening') {
          member.state = 'listening';
          started.resolve(true);
        }
        hear(member, message);
      });
      worker.on('exit', (code, signal) => {
        members.delete(member);
        started.resolve(false);
        onEnded(member, `${signal ?? code}`);
        member.state = 'ended';
        ended.resolve();
      });
      return member;
    },
  };
}
