import { expect, test } from 'vitest';
import { afterAcknowledged, arrivalState } from '#harness/engine/engine.ts';
import type { Judgement } from '#harness/target/operation.ts';
import { ArrivalStates } from './arrival-states.ts';

const good: Judgement = { kind: 'good', acknowledged: 0, duplicate: 0 };

test('a registration is acknowledged by its answer; one that is refused later stays so, and one that was shed may be acknowledged later', () => {
  const states = new Uint8Array(4);
  const kept = new ArrivalStates(states, 1);
  kept.answered(0, good, 201, true);
  kept.answered(0, { kind: 'shed', retryAfterSeconds: 1 }, 503, true);
  kept.answered(1, { kind: 'shed', retryAfterSeconds: 1 }, 503, true);
  kept.answered(2, { kind: 'shed', retryAfterSeconds: 1 }, 503, true);
  kept.answered(2, good, 201, true);
  expect([...states.subarray(0, 3)]).toEqual([arrivalState.acknowledged, arrivalState.refused, arrivalState.acknowledged]);
});

test('whether the one before was acknowledged is decided by an arrival’s first request, and by no later one', () => {
  const states = new Uint8Array(3);
  const kept = new ArrivalStates(states, 1);
  const acknowledging: Judgement = { kind: 'good', acknowledged: 1, duplicate: 0 };
  kept.sending(0, true);
  // Its first step goes out while the one before it is on its way, its second one behind that one's end.
  kept.sending(1, true);
  kept.answered(0, acknowledging, 202);
  kept.sending(1, false);
  kept.answered(1, acknowledging, 202);
  kept.sending(2, true);
  kept.sending(2, false);
  expect([...states]).toEqual([arrivalState.acknowledged, arrivalState.acknowledged, arrivalState.inFlight | afterAcknowledged]);
});

test('an arrival that goes out behind a later one of its device says nothing of their order', () => {
  const states = new Uint8Array(6);
  const kept = new ArrivalStates(states, 2);
  const acknowledging: Judgement = { kind: 'good', acknowledged: 1, duplicate: 0 };
  // Of the first device the third overtakes the second, which waited for a connection when a new phase began.
  for (const arrival of [0, 4, 2, 1, 3, 5]) {
    kept.sending(arrival, true);
    kept.answered(arrival, acknowledging, 202);
  }
  const { acknowledged } = arrivalState;
  const inOrder = acknowledged | afterAcknowledged;
  expect([...states]).toEqual([acknowledged, acknowledged, acknowledged, inOrder, acknowledged, inOrder]);
});

test('a token is no acknowledgement of the events that its chain has yet to send', () => {
  const states = new Uint8Array(1);
  new ArrivalStates(states, 1).answered(0, good, 200);
  expect([...states]).toEqual([arrivalState.notFired]);
});
