/** A service that has too much to do says when to come back: whoever sets it up or reads it back comes back then. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { retryAfterSeconds } from '#harness/target/retry-after.ts';

type Answer = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

/** The first answer that is no refusal for now (429, 503 with `Retry-After`), or the last one before `endMs`, by `performance.now()`. */
export async function askAgain<One extends Answer>(ask: () => Promise<One>, endMs: number): Promise<One> {
  for (;;) {
    const answer = await ask();
    const waitMs = waitMsOf(answer);
    if (waitMs === undefined || performance.now() + waitMs > endMs) return answer;
    await answer.body.dump();
    await sleep(waitMs);
  }
}

function waitMsOf({ statusCode, headers }: Answer): number | undefined {
  if (statusCode !== 429 && statusCode !== 503) return undefined;
  const seconds = retryAfterSeconds((name) => (headers[name] === undefined ? undefined : String(headers[name])));
  return seconds === undefined ? undefined : seconds * 1000;
}
