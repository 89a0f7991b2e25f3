import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readBasic, readCredentials } from './credentials.ts';

test.each([
  // RFC 7617, 2; RFC 6750, 2.1.
  ['Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==', { scheme: 'basic', token: 'QWxhZGRpbjpvcGVuIHNlc2FtZQ==' }],
  ['Bearer mF_9.B5f-4.1JqM', { scheme: 'bearer', token: 'mF_9.B5f-4.1JqM' }],
  ['bearer x', { scheme: 'bearer', token: 'x' }],
  ['BASIC  x', { scheme: 'basic', token: 'x' }],
])('%s', (header, credentials) => {
  expect(readCredentials(header)).toEqual(credentials);
});

test.each(['', 'Basic', 'Basic ', 'x', 'Basic a b', 'Basic a,b', 'Basic QQ==!!!!', 'Basic =', 'Basic Q=Q', 'Ba(sic x', 'Basic\tx', 'Digest realm="x"'])(
  '%j is no scheme and token',
  (header) => {
    expect(readCredentials(header)).toBeUndefined();
  },
);

test('a basic token is a user and a password, in UTF-8', () => {
  // RFC 7617, 2 and 2.1.
  expect(readBasic('QWxhZGRpbjpvcGVuIHNlc2FtZQ==')).toEqual({ user: 'Aladdin', password: 'open sesame' });
  expect(readBasic('dGVzdDoxMjPCow==')).toEqual({ user: 'test', password: '123£' });
  const read = (text: string) => readBasic(Buffer.from(text).toString('base64'));
  expect([read('a:b:c'), read('a:'), read(':b'), read('a')]).toEqual([
    { user: 'a', password: 'b:c' },
    { user: 'a', password: '' },
    { user: '', password: 'b' },
    { user: 'a', password: undefined },
  ]);
});

test.each([
  ['another letter in the last place, with the same bytes', 'QWxhZGRpbjpvcGVuIHNlc2FtZR=='],
  ['no padding', 'QWxhZGRpbjpvcGVuIHNlc2FtZQ'],
  ['the alphabet of addresses', Buffer.from([0xfb, 0x3a, 0xff]).toString('base64url')],
  ['not UTF-8', Buffer.from([0x61, 0x3a, 0xff]).toString('base64')],
  ['a control character', Buffer.from('a:b\n').toString('base64')],
])('%s is none', (_, token) => {
  expect(readBasic(token)).toBeUndefined();
});

test('any user and password is read as it was written', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((value) => !/[\p{Cc}:]/u.test(value));
  fc.assert(
    fc.property(text, text, (user, password) => {
      expect(readBasic(Buffer.from(`${user}:${password}`).toString('base64'))).toEqual({ user, password });
    }),
  );
});
