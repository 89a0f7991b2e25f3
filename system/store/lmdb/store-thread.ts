/** Entry of the writing thread: the direct store, and beside it the companion that reads and steps without crossing a thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Store, StoreUnavailable } from '#system/store/store.ts';
import { type DirectStore, openDirectStore } from './direct-store.ts';
import type { Failure, FromThread, RunningCompanion, StartCompanion, ThreadData, ToThread } from './messages.ts';
import { openTables } from './tables.ts';
import { asTrouble } from './trouble.ts';

const port = parentPort;
if (port === null) throw new Error('store-thread.ts is the entry of a worker thread.');
const data = workerData as ThreadData;
const say = (message: FromThread): void => port.postMessage(message);

function failureOf(error: unknown): Failure {
  if (error instanceof StoreUnavailable) return { trouble: error.trouble, text: error.message };
  return { trouble: undefined, text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

async function serve(): Promise<void> {
  const tables = openTables(data.folder, data.durability === 'memory');
  const store = openDirectStore(tables, data);
  const companion = await startCompanion(store);
  port?.on('message', (message: ToThread) => {
    if (message.kind === 'close') void close();
    else answer(store, message).then(say, (error: unknown) => say({ kind: 'failed', id: message.id, failure: failureOf(error) }));
  });
  const close = async (): Promise<void> => {
    await companion?.stop();
    await store.close();
    await tables.root.close();
    port?.close();
  };
  say({ kind: 'opened' });
}

async function startCompanion(store: Store): Promise<RunningCompanion | undefined> {
  if (data.companion === undefined) return undefined;
  const { start } = (await import(data.companion.module)) as { readonly start: StartCompanion };
  return start({ store, data: data.companion.data, onTrouble: (error) => say({ kind: 'companion-trouble', failure: failureOf(error) }) });
}

async function answer(store: DirectStore, message: Exclude<ToThread, { kind: 'close' }>): Promise<FromThread> {
  if (message.kind === 'append') {
    const { bytes, events, extras } = message;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { kind: 'appended', id: message.id, results: await store.appendBatch({ bytes: view, events, extras }) };
  }
  const run = store[message.name] as (command: unknown) => Promise<unknown>;
  return { kind: 'done', id: message.id, result: await run(message.command) };
}

serve().catch((error: unknown) => {
  const trouble = asTrouble(error, 'unwritable');
  say({ kind: 'not-opened', failure: failureOf(trouble) });
  port.close();
});
