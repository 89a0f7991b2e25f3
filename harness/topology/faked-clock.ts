/** Loaded before a service in tests (`--import`): its wall clock is ahead by the milliseconds that stand in the file HEADROOM_TEST_CLOCK names. */
import { readFileSync } from 'node:fs';

const path = process.env.HEADROOM_TEST_CLOCK;
const realNowMs = Date.now;
const lookEveryMs = 20;
let lookedAtMs = Number.NEGATIVE_INFINITY;
let aheadMs = 0;

function readAheadMs(): number {
  const nowMs = performance.now();
  if (path === undefined || nowMs - lookedAtMs < lookEveryMs) return aheadMs;
  lookedAtMs = nowMs;
  aheadMs = Number(readFileSync(path, 'utf8')) || 0;
  return aheadMs;
}

Date.now = () => realNowMs() + readAheadMs();
