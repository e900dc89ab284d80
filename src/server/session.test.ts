import { expect, test } from 'vitest';
import { Refusal } from './refusal.ts';
import { Session } from './session.ts';

test('before the token was used, nobody has a session, not even by the right words', () => {
  const session = new Session();
  const cookie = /^revmap=([0-9a-f]{32}); HttpOnly; SameSite=Strict; Path=(\/[0-9a-f]{32})$/;
  expect(session.isOurs(undefined)).toBe(false);
  expect(session.isOurs('')).toBe(false);
  expect(session.isOurs('revmap=')).toBe(false);
  const given = session.exchange(`bearer  ${session.token}`);
  expect(given).toMatch(cookie);
  expect(cookie.exec(given as string)![2]).toBe(session.api);
  expect(session.isOurs((given as string).split(';')[0])).toBe(true);
  expect(session.exchange(`Bearer ${session.token}`)).toBeInstanceOf(Refusal);
});

test('every secret is another one', () => {
  const secrets = Array.from({ length: 50 }, () => new Session()).flatMap(({ token, api }) => [token, api.slice(1)]);
  expect(new Set(secrets).size).toBe(100);
  for (const secret of secrets) expect(secret).toMatch(/^[0-9a-f]{32}$/);
});
