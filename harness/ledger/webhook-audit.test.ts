import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrivalState } from '#harness/engine/engine.ts';
import { launchedDeviceOf } from '#harness/target/storm-operations.ts';
import { type AuditedEndpoint, auditWebhooks, missingAt, type WebhookAuditInput } from './webhook-audit.ts';

const run = '0123456789ab';
const { acknowledged, refused, unknown, notPlanned } = arrivalState;
/** Twelve arrivals of four devices in two accounts: even ones are of account 0. The first phase has four. */
const input = (states: readonly number[] = new Array<number>(12).fill(acknowledged)): WebhookAuditInput => ({
  run,
  states: Uint8Array.from(states),
  firstArrivals: [0, 4, 12],
  devices: 4,
  accounts: 2,
});
const due = [0, 2, 4, 6, 8, 10];

type Came = readonly (readonly [arrival: number, accepted: number, id?: string])[];
const endpoint = (came: Came, parts: Partial<AuditedEndpoint> = {}): AuditedEndpoint => ({
  receiver: 'good',
  account: 0,
  takesAll: true,
  arrivals: {
    ids: came.map(([arrival, , id]) => id ?? `evt_${arrival}`),
    devices: came.map(([arrival]) => launchedDeviceOf(run, arrival)),
    accepted: came.map(([, accepted]) => accepted),
  },
  listed: due.map((arrival) => ({ eventId: `evt_${arrival}`, state: 'delivered' })),
  dropped: 0,
  isDisabled: false,
  ...parts,
});
const all: Came = due.map((arrival) => [arrival, 1] as const);
const auditOf = (one: AuditedEndpoint, states?: readonly number[]) => {
  const { receivers, examples } = auditWebhooks(input(states), [one]);
  return { ...receivers[0], kinds: examples.map(({ kind }) => kind) };
};
const waiting = due.map((arrival) => ({ eventId: `evt_${arrival}`, state: 'waiting' }));
const hangs = { receiver: 'hangs', takesAll: false } as const;

describe('who takes all', () => {
  test('everything of its account came and was accepted: nothing is missing', () => {
    expect(auditOf(endpoint(all))).toMatchObject({
      endpoints: 1,
      expected: 6,
      arrived: 6,
      missingByPhase: [0, 0],
      lost: 0,
      duplicated: 0,
      leaked: 0,
      delivered: 6,
      kinds: [],
    });
  });
  test('what never came is lost, in the phase of its registration, and so is what was refused every time', () => {
    expect(auditOf(endpoint(all.slice(1), { listed: waiting }))).toMatchObject({ arrived: 5, missingByPhase: [1, 0], lost: 1, kinds: ['lost'] });
    expect(auditOf(endpoint([...all.slice(0, 5), [10, 0]], { listed: waiting }))).toMatchObject({ missingByPhase: [0, 1], lost: 1 });
    expect(missingAt(input(), endpoint(all.slice(0, 4)))).toEqual([8, 10]);
  });
  test('what the service calls delivered and nobody accepted is lost once', () => {
    expect(auditOf(endpoint([...all.slice(0, 5), [10, 0]]))).toMatchObject({ lost: 1 });
  });
});

describe('who does not', () => {
  test('what is waited for, dead or left out is accounted for, whether or not it came', () => {
    expect(auditOf(endpoint([[0, 0]], { ...hangs, listed: waiting }))).toMatchObject({ expected: 6, arrived: 1, missingByPhase: [1, 4], lost: 0, waiting: 6 });
    const dead = [...waiting.slice(0, 3), { eventId: 'evt_6', state: 'dead' }, { eventId: 'evt_8', state: 'sending' }];
    expect(auditOf(endpoint([[0, 0]], { ...hangs, listed: dead, dropped: 1 }))).toMatchObject({ lost: 0, waiting: 4, dead: 1, dropped: 1 });
  });
  test('what is silently gone is lost', () => {
    expect(auditOf(endpoint([[0, 0]], { ...hangs, listed: waiting.slice(0, 4) }))).toMatchObject({ lost: 2, kinds: ['lost'] });
    expect(auditOf(endpoint([[0, 0]], { ...hangs, listed: [] }))).toMatchObject({ lost: 5 });
  });
  test('what is called delivered and was never accepted is lost, and counted once', () => {
    const untrue = due.map((arrival) => ({ eventId: `evt_${arrival}`, state: 'delivered' }));
    expect(auditOf(endpoint([[0, 0]], { ...hangs, listed: untrue }))).toMatchObject({ delivered: 6, lost: 6 });
    expect(auditOf(endpoint([[0, 1]], { ...hangs, listed: untrue }))).toMatchObject({ lost: 5 });
  });
  test('whoever said 410 is told nothing more, and nothing more is due', () => {
    const gone = { ...hangs, isDisabled: true, listed: [{ eventId: 'evt_0', state: 'dead' }] };
    expect(auditOf(endpoint([[0, 0]], gone))).toMatchObject({ expected: 1, missingByPhase: [0, 0], lost: 0, disabled: 1 });
  });
});

test('two ids for one registration are a fault; one id is one event, however often it came', () => {
  expect(auditOf(endpoint([...all, [4, 1, 'evt_other'], [4, 0, 'evt_third']]))).toMatchObject({ duplicated: 2, kinds: ['duplicated', 'duplicated'] });
});

test('another account’s device is leaked, and one that was refused, never planned or of nobody is unfounded', () => {
  expect(auditOf(endpoint([...all, [1, 1], [3, 1]]))).toMatchObject({ leaked: 2, lost: 0, kinds: ['leaked', 'leaked'] });
  const states = [acknowledged, acknowledged, refused, notPlanned, ...new Array<number>(8).fill(acknowledged)];
  expect(auditOf(endpoint([...all, [99, 1]]), states)).toMatchObject({ expected: 5, unfounded: 2, leaked: 0 });
  const nobody = endpoint(all);
  const foreign = { ids: [...nobody.arrivals.ids, 'evt_x'], devices: [...nobody.arrivals.devices, 'd-of-before'], accepted: [...nobody.arrivals.accepted, 1] };
  expect(auditOf({ ...nobody, arrivals: foreign })).toMatchObject({ unfounded: 1, lost: 0 });
});

test('a registration of which nobody knows may be told, and need not be', () => {
  const states = [unknown, ...new Array<number>(11).fill(acknowledged)];
  expect(auditOf(endpoint(all), states)).toMatchObject({ expected: 5, arrived: 5, unfounded: 0, lost: 0 });
  expect(auditOf(endpoint(all.slice(1), { listed: waiting }), states)).toMatchObject({ expected: 5, lost: 0 });
});

test('the endpoints of a receiver add up', () => {
  const other: Came = [1, 3, 5, 7, 9].map((arrival) => [arrival, 1] as const);
  const odd = endpoint(other, { account: 1, listed: other.map(([arrival]) => ({ eventId: `evt_${arrival}`, state: 'delivered' })) });
  const { receivers } = auditWebhooks(input(), [endpoint(all), odd, endpoint(all, hangs)]);
  expect(receivers.map(({ receiver, endpoints, expected, arrived, lost }) => [receiver, endpoints, expected, arrived, lost])).toEqual([
    ['good', 2, 12, 11, 1],
    ['hangs', 1, 6, 6, 0],
  ]);
  expect(receivers[0]?.missingByPhase).toEqual([0, 1]);
});

test('whatever nobody knows of which registrations were acknowledged, a service that told of all of them has lost, doubled and leaked none', () => {
  const kept = fc.constantFrom(acknowledged, unknown, refused);
  fc.assert(
    fc.property(fc.array(kept, { minLength: 12, maxLength: 12 }), fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (states, forgotten) => {
      const told = due.filter((arrival) => states[arrival] === acknowledged);
      const known = states.map((state, arrival) => (forgotten[arrival] === true ? unknown : state));
      const listed = told.map((arrival) => ({ eventId: `evt_${arrival}`, state: 'delivered' }));
      for (const receiver of [{}, hangs]) {
        const one = endpoint(
          told.map((arrival) => [arrival, 1] as const),
          { ...receiver, listed },
        );
        expect(auditOf(one, known)).toMatchObject({ lost: 0, duplicated: 0, leaked: 0, unfounded: 0, kinds: [] });
      }
    }),
  );
});
