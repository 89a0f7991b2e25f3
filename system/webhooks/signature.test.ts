import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { newSecret, secretsAt, signedHeaders } from './signature.ts';

const event = { id: 'evt_1', type: 'x', atMs: 0, body: '{"type":"x","data":{"word":"größer"}}' };

test('the reference verifies it, under each secret that holds, and under no other', () => {
  const nowMs = Date.now();
  const [present, before, gone] = [newSecret(), newSecret(), newSecret()];
  const secrets = [{ secret: present }, { secret: before, untilMs: nowMs + 1 }, { secret: gone, untilMs: nowMs }];
  const headers = signedHeaders(event, secretsAt(secrets, nowMs), nowMs);
  for (const secret of [present, before]) expect(new Webhook(secret).verify(event.body, headers)).toEqual(JSON.parse(event.body));
  for (const secret of [gone, newSecret()]) expect(() => new Webhook(secret).verify(event.body, headers)).toThrow();
});

test('any flipped bit of body, id or timestamp is seen', () => {
  const secret = newSecret();
  const headers = signedHeaders(event, [{ secret }], Date.now());
  const body = Buffer.from(event.body);
  for (let i = 0; i < body.length; i++) {
    const other = Buffer.from(body);
    other[i] = (other[i] ?? 0) ^ 1;
    expect(() => new Webhook(secret).verify(other, headers, { jsonParse: false })).toThrow();
  }
  for (const name of ['webhook-id', 'webhook-timestamp'] as const)
    expect(() => new Webhook(secret).verify(event.body, { ...headers, [name]: `${headers[name]?.slice(0, -1)}x` })).toThrow();
});
