/** A rolling restart: one worker after the other is replaced, and leaves once its replacement listens. */
import type { Crew, Member } from './crew.ts';

export type RollOptions = {
  readonly crew: Crew;
  /** How many workers there are to be. */
  readonly size: number;
  readonly isDraining: () => boolean;
  /** How long a worker may take to leave. */
  readonly drainTimeoutMs: number;
  readonly log: (level: 'info' | 'error', text: string) => void;
};

const startTimeoutMs = 30_000;

/** Resolves when all that were there are replaced, or at the first replacement that does not come up. */
export async function roll(options: RollOptions): Promise<void> {
  const { crew, size, isDraining, log } = options;
  const olds = crew.members().filter(({ state }) => state === 'listening');
  log('info', `${olds.length} workers are restarted, one after the other`);
  for (const old of olds) {
    if (isDraining()) return;
    // One that ended by itself meanwhile is replaced already; where it took its place, the next one comes for the old.
    while (old.state === 'listening') {
      if (!(await comesUp(crew.start()))) {
        if (!isDraining())
          log('error', `the restart stops: the worker that was to replace ${old.worker.process.pid} did not come up; the others go on as they are`);
        return;
      }
      if (isDraining()) return;
      if (crew.standing() > size) await seeOff(old, options);
    }
  }
  log('info', 'all workers are restarted');
}

async function comesUp({ worker, started }: Member): Promise<boolean> {
  const timer = setTimeout(() => worker.process.kill('SIGKILL'), startTimeoutMs);
  const isUp = await started;
  clearTimeout(timer);
  return isUp;
}

async function seeOff(member: Member, { crew, drainTimeoutMs, log }: RollOptions): Promise<void> {
  member.state = 'leaving';
  crew.send(member.worker, { kind: 'leave' });
  const timer = setTimeout(() => {
    log('error', `worker ${member.worker.process.pid} took longer than ${drainTimeoutMs} ms to leave; it is ended`);
    member.worker.process.kill('SIGKILL');
  }, drainTimeoutMs);
  await member.ended;
  clearTimeout(timer);
}
