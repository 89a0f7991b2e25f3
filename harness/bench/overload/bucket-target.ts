/**
 * A target that takes so many requests a second and no more: one that finds no token is never answered. It has no queue, so that it
 * is itself again in the very moment in which less is asked of it, and what is slow after that is the generator's doing. Entry of a
 * process; its argument is the rate.
 */
import { serveAsProcess } from '#harness/bench/target-process.ts';

export type BucketReport = {
  readonly requests: number;
  readonly answered: number;
  readonly connections: number;
};

const perSecond = Number(process.argv[2]);
/** What it takes at once: more than Poisson arrivals at four fifths of its rate ever ask for. */
const bucket = perSecond / 4;

const body = JSON.stringify({ accepted: 1, duplicate: 0, rejected: [], position: '1', durability: 'none' });
const answer = `HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

let tokens = bucket;
let filledMs = performance.now();
let requests = 0;
let answered = 0;

function taken(): boolean {
  const nowMs = performance.now();
  tokens = Math.min(bucket, tokens + ((nowMs - filledMs) / 1000) * perSecond);
  filledMs = nowMs;
  if (tokens < 1) return false;
  tokens--;
  return true;
}

serveAsProcess(
  (socket) => {
    requests++;
    if (!taken()) return;
    answered++;
    socket.write(answer);
  },
  (connections): BucketReport => ({ requests, answered, connections }),
);
