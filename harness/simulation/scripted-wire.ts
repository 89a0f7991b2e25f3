// A wire whose far end is a script: it sees a request and says which bytes come back when.
import type { ConnectionEvents, Wire, WireConnection } from '#harness/engine/native/wire/wire.ts';
import type { EventQueue } from './event-queue.ts';

export type ScriptedRequest = {
  readonly text: string;
  /** When it reached the server. */
  readonly atMs: number;
  /** Connections and requests are numbered in the order of their making, over all workers. */
  readonly connection: number;
  readonly request: number;
};

/** Instants of virtual time. A request without any act hangs. */
export type Act =
  | { readonly kind: 'bytes'; readonly atMs: number; readonly text: string }
  | { readonly kind: 'close'; readonly atMs: number; readonly code?: string };

export type ScriptedServer = {
  readonly answer: (request: ScriptedRequest) => readonly Act[];
  /** 0 where nothing is said. A string refuses with that code. */
  readonly connect?: (connection: number, atMs: number) => number | string;
};

export type Numbers = { connections: number; requests: number };

export type ScriptedWireOptions = {
  readonly queue: EventQueue;
  readonly server: ScriptedServer;
  readonly numbers: Numbers;
  /** When the generator sees what happens at an instant: later where it stands still. */
  readonly seenAt: (atMs: number) => number;
  /** The generator is told when bytes came, as by a kernel. */
  readonly stampsArrivals?: boolean;
};

export function createScriptedWire({ queue, server, numbers, seenAt, stampsArrivals = false }: ScriptedWireOptions): Wire {
  const connect = (events: ConnectionEvents): WireConnection => {
    const connection = numbers.connections++;
    let open = true;
    const close = (code: string): void => {
      if (!open) return;
      open = false;
      events.onClose(code);
    };
    const later = (atMs: number, run: () => void): void => queue.at(seenAt(atMs), () => open && run());
    const perform = (act: Act): void => {
      if (act.kind === 'close') return later(act.atMs, () => close(act.code ?? 'closed'));
      const bytes = Buffer.from(act.text, 'utf8');
      later(act.atMs, () => events.onData(bytes, 0, bytes.length, act.atMs));
    };
    const connecting = server.connect?.(connection, queue.nowMs) ?? 0;
    if (typeof connecting === 'string') later(queue.nowMs, () => close(connecting));
    else later(queue.nowMs + connecting, () => events.onOpen());
    return {
      write: (text) => {
        for (const act of server.answer({ text, atMs: queue.nowMs, connection, request: numbers.requests++ })) perform(act);
      },
      // A script never sends so much that who reads matters.
      pause: () => undefined,
      resume: () => undefined,
      close: () => queue.at(queue.nowMs, () => close('closed')),
    };
  };
  return { name: 'scripted', stampsArrivals, connect };
}
