/** Asks nodes whether they are ready, as a balancer's health checks do: who drains or is dead gets nothing new. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';

export type ReadinessOptions = {
  readonly urls: readonly string[];
  /** By node. All count as ready at first. */
  readonly onChange: (ready: readonly boolean[]) => void;
};

const checkEveryMs = 250;
/** A node under load that answers late is not a dead one. */
const checkTimeoutMs = 2000;

export function watchReadiness({ urls, onChange }: ReadinessOptions): { readonly stop: () => void } {
  const controller = new AbortController();
  const { signal } = controller;
  const dispatcher = new Agent({ connections: 1 });
  const ready = urls.map(() => true);
  const watch = async (url: string, index: number): Promise<void> => {
    while (!signal.aborted) {
      const isReady = await ask(url, dispatcher, signal);
      if (signal.aborted) return;
      if (isReady !== ready[index]) {
        ready[index] = isReady;
        onChange([...ready]);
      }
      await sleep(checkEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  for (const [index, url] of urls.entries()) void watch(url, index);
  return {
    stop: () => {
      controller.abort();
      void dispatcher.destroy();
    },
  };
}

async function ask(url: string, dispatcher: Agent, stopped: AbortSignal): Promise<boolean> {
  try {
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(checkTimeoutMs)]);
    const { statusCode, body } = await request(`${url}/readyz`, { dispatcher, signal });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}
