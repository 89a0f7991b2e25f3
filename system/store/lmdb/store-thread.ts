/** Entry of the writing thread: the direct store, and beside it the companion that reads and steps without crossing a thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Store, StoreUnavailable } from '#system/store/store.ts';
import { type DirectStore, openDirectStore } from './direct-store.ts';
import type { Failure, FromThread, RunningCompanion, StartCompanion, ThreadData, ToThread } from './messages.ts';
import { openTables } from './tables.ts';
import { startTidying } from './tidy.ts';
import { asTrouble } from './trouble.ts';

const port = parentPort;
if (port === null) throw new Error('store-thread.ts is the entry of a worker thread.');
const data = workerData as ThreadData;
const say = (message: FromThread, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(message, [...transfer]);

function failureOf(error: unknown): Failure {
  if (error instanceof StoreUnavailable) return { trouble: error.trouble, text: error.message };
  return { trouble: undefined, text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

async function serve(): Promise<void> {
  const tables = openTables(data.folder, data.durability === 'memory');
  const store = openDirectStore(tables, data, { onLost: (trouble) => say({ kind: 'lost', failure: failureOf(trouble) }) });
  const companion = await startCompanion(store);
  const tidying = startTidying(store.tidy, { everyMs: data.tidyEveryMs, onTrouble: sayTrouble('old data stay for now') });
  port?.on('message', (message: ToThread) => {
    if (message.kind === 'close') return void close();
    const answered = message.kind === 'read' ? answerRead(store, message) : answer(store, message).then((reply) => say(reply));
    answered.catch((error: unknown) => say({ kind: 'failed', id: message.id, failure: failureOf(error) }));
  });
  const close = async (): Promise<void> => {
    await Promise.all([companion?.stop(), tidying.stop()]);
    await store.close();
    await tables.root.close();
    port?.close();
  };
  say({ kind: 'opened', anchor: store.anchor });
}

/** Of what runs on this thread by itself. */
const sayTrouble =
  (what: string) =>
  (error: unknown): void => {
    const { trouble, text } = failureOf(error);
    say({ kind: 'companion-trouble', failure: { trouble, text: `${what}: ${text}` } });
  };

async function startCompanion(store: Store): Promise<RunningCompanion | undefined> {
  if (data.companion === undefined) return undefined;
  const { start } = (await import(data.companion.module)) as { readonly start: StartCompanion };
  return start({
    store,
    data: data.companion.data,
    tell: (news) => say({ kind: 'companion-says', news }),
    onTrouble: sayTrouble('the pipeline pauses'),
  });
}

async function answer(store: DirectStore, message: Extract<ToThread, { kind: 'append' | 'command' }>): Promise<FromThread> {
  if (message.kind === 'append') {
    const { bytes, events, extras } = message;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { kind: 'appended', id: message.id, results: await store.appendBatch({ bytes: view, events, extras }) };
  }
  const run = store[message.name] as (command: unknown) => Promise<unknown>;
  return { kind: 'done', id: message.id, result: await run(message.command) };
}

async function answerRead(store: DirectStore, { id, name, query }: Extract<ToThread, { kind: 'read' }>): Promise<void> {
  const read = store[name] as (query: unknown) => Promise<unknown>;
  const { result, transfer } = ownBytes(await read(query));
  say({ kind: 'was-read', id, result }, transfer);
}

type HasBytes = { readonly bytes: Uint8Array };
type MayHaveBytes = Partial<HasBytes> & { readonly events?: readonly HasBytes[] };

/** What was read with its bytes in one buffer of their own: as it is, each body is a view on its whole record, and a message copies what is viewed. */
function ownBytes(result: unknown): { readonly result: unknown; readonly transfer: readonly ArrayBuffer[] } {
  const { bytes, events } = (result ?? {}) as MayHaveBytes;
  if (bytes !== undefined) {
    const [only] = gather([bytes]) as [Uint8Array];
    return { result: { ...(result as object), bytes: only }, transfer: [only.buffer as ArrayBuffer] };
  }
  if (events === undefined || events.length === 0) return { result, transfer: [] };
  const own = gather(events.map((event) => event.bytes));
  return { result: { ...(result as object), events: events.map((event, i) => ({ ...event, bytes: own[i] })) }, transfer: [own[0]?.buffer as ArrayBuffer] };
}

function gather(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const room = new ArrayBuffer(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  return parts.map((part) => {
    const copy = new Uint8Array(room, at, part.length);
    copy.set(part);
    at += part.length;
    return copy;
  });
}

serve().catch((error: unknown) => {
  const trouble = asTrouble(error, 'unwritable');
  say({ kind: 'not-opened', failure: failureOf(trouble) });
  port.close();
});
