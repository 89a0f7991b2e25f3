/** Which socket layer a thread gets: nobody else knows of more than one. */

import type { EngineTarget } from '#harness/engine/engine.ts';
import { messageOf } from '#harness/message-of.ts';
import { createEpollWires } from './epoll/epoll-wires.ts';
import { createLoopTurns } from './loop-turns.ts';
import { createNetWire } from './net.ts';
import type { WireChoice, Wires } from './wire.ts';

export type OpenWiresOptions = { readonly targets: readonly EngineTarget[]; readonly nowMs: () => number; readonly choice: WireChoice };

/** Rejects with a sentence where the one that was asked for cannot be. */
export async function openWires({ targets, nowMs, choice }: OpenWiresOptions): Promise<Wires> {
  if (choice === 'net') return netWires(targets, nowMs);
  try {
    return await createEpollWires({ targets, nowMs });
  } catch (error) {
    if (choice === 'epoll') throw new Error(`the epoll wire cannot be used here: ${messageOf(error)}`, { cause: error });
    return netWires(targets, nowMs);
  }
}

function netWires(targets: readonly EngineTarget[], nowMs: () => number): Wires {
  const turns = createLoopTurns(nowMs());
  const wires = targets.map((target) => createNetWire({ target, nowMs, turns }));
  return { name: wires[0]?.name ?? 'net', of: wires, sleep: undefined, noteTurn: () => void turns.enter(nowMs()), end: () => undefined };
}

/**
 * For threads and processes that open wires: node:ffi where the runtime has it, and no word to the user that it is experimental. Of Node 26.10 on it is there
 * without being asked for.
 */
export function wireFlags(): string[] {
  const experimental = process.allowedNodeEnvironmentFlags.has('--experimental-ffi') ? ['--experimental-ffi'] : [];
  return [...experimental, '--disable-warning=ExperimentalWarning'];
}
