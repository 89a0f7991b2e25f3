/** For the test of what may go wrong when a thread ends: many that end, one after the other, while the compiler is at their calls. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { wireFlags } from '#harness/engine/native/wire/open-wires.ts';
import { loadLibc } from './libc.ts';

const threads = 60;
/** Each makes so many calls more than the one before it: when the compiler begins and ends differs from machine to machine. */
const callsMore = 400;

async function callAndEnd(calls: number): Promise<void> {
  const libc = await loadLibc();
  for (let i = 0; i < calls; i++) libc.close(-1);
  process.exit(0);
}

async function startAll(): Promise<void> {
  const file = fileURLToPath(import.meta.url);
  for (let i = 1; i <= threads; i++) await once(new Worker(file, { workerData: i * callsMore, execArgv: wireFlags() }), 'exit');
}

await (isMainThread ? startAll() : callAndEnd(workerData as number));
