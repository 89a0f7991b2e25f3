import { childrenOf, endProcess, isRunning } from './processes.ts';
import type { Service } from './service-process.ts';
import { waitUntil } from './wait-until.ts';

const endsWithinMs = 10_000;

/** SIGKILL to a service's supervisor and workers; resolves when all of them are gone. `name` is for the message where one stays. */
export async function endAtOnce(service: Service, name: string): Promise<void> {
  // Held first, so that it starts no worker between our look and its end.
  process.kill(service.pid, 'SIGSTOP');
  const children = childrenOf(service.pid);
  const workers = children.length > 0 ? children : service.workerPids();
  service.kill();
  for (const pid of workers) endProcess(pid);
  await service.exited;
  await waitUntil(() => !workers.some(isRunning), { limitMs: endsWithinMs, what: `the end of the workers of ${name}` });
}
