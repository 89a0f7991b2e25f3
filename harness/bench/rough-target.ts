/** A target that treats its clients badly, at random: cuts, resets, half answers, silence, trickles. Entry of a process; says its port and how often it did what. */
import type { Socket } from 'node:net';
import { createRandom } from '#harness/pacing/random.ts';
import { serveAsProcess } from './target-process.ts';

/** How often it did what. */
export type Deeds = Readonly<Record<string, number>>;

const body = JSON.stringify({ accepted: 1, duplicate: 0, rejected: [], position: '1', durability: 'none' });
const answer = `HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const half = answer.length >> 1;

/** Out of a thousand requests so many. The rest is answered as it should be. */
const deeds: Readonly<Record<string, { readonly perThousand: number; readonly act: (socket: Socket) => void }>> = {
  reset: { perThousand: 10, act: (socket) => void socket.resetAndDestroy() },
  end: { perThousand: 10, act: (socket) => void socket.end() },
  'reset in the answer': { perThousand: 5, act: (socket) => void socket.write(answer.slice(0, half), () => socket.resetAndDestroy()) },
  'end in the answer': { perThousand: 5, act: (socket) => void socket.end(answer.slice(0, half)) },
  silence: { perThousand: 5, act: () => undefined },
  'answer and end': { perThousand: 20, act: (socket) => void socket.end(answer) },
  trickle: {
    perThousand: 50,
    act: (socket) => {
      socket.write(answer.slice(0, half));
      setTimeout(() => socket.write(answer.slice(half)), 5);
    },
  },
};

const did: Record<string, number> = {};
const random = createRandom(1, 0);

function treat(socket: Socket): void {
  let left = random() * 1000;
  for (const [name, { perThousand, act }] of Object.entries(deeds)) {
    left -= perThousand;
    if (left >= 0) continue;
    did[name] = (did[name] ?? 0) + 1;
    return act(socket);
  }
  socket.write(answer);
}

/** Stands still now and then: what is sent meanwhile fills the kernel's buffers and its queue of connections. */
const stallEveryMs = 5000;
const stallMs = 150;
setInterval(() => {
  did.stall = (did.stall ?? 0) + 1;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stallMs);
}, stallEveryMs);

serveAsProcess(treat, () => did);
