/** What an EventSource needs of a drain: it obeys `retry:` alone, and any status but 200 ends it for good. */
import type { StreamReader } from '#harness/topology/stream-reader.ts';
import { hold } from './rule.ts';
import { eventually } from './user.ts';

export const eventStream = { Accept: 'text/event-stream' } as const;

/** By performance.now(). `windowEndsMs`: not later than the drain's window does. */
type Goodbye = { readonly reader: StreamReader; readonly windowEndsMs: number };
type Answered = Goodbye & { readonly answeredAtMs: number };

/** A stream that was open: its last event is a goodbye that leads past the window. */
export function holdsRetry({ reader, windowEndsMs }: Goodbye): void {
  const leftMs = windowEndsMs - (reader.arrivedAtMs.at(-1) ?? windowEndsMs);
  holdsRetryIn(reader.chunks.at(-1) ?? '', leftMs);
}

/** Who comes while the node goes down: 200, a goodbye and the end. */
export async function isSentOn({ reader, windowEndsMs, answeredAtMs }: Answered): Promise<void> {
  hold(reader.status() === 200, '200 for an event stream that comes during a drain', `${reader.status()} ${reader.text()}`);
  const said = (): string => reader.chunks.join('') + reader.text();
  await eventually('a whole goodbye', () => said().includes('"code":"drain"') && said().endsWith('\n\n'));
  holdsRetryIn(said(), windowEndsMs - answeredAtMs);
  // Its length, or the end of its connection, says that this is all.
  await eventually('the end of an event stream that comes during a drain', () => reader.header('content-length') !== undefined || reader.state() === 'ended');
}

function holdsRetryIn(text: string, leftMs: number): void {
  const retryMs = /^retry: (\d+)$/m.exec(text)?.[1];
  hold(retryMs !== undefined, 'a retry: line in the bye of an event stream', text);
  hold(Number(retryMs) >= leftMs, `retry: not below the ${Math.round(leftMs)} ms that are left of the window`, text);
}
