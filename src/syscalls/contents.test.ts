import { expect, test } from 'vitest';
import type { Machine } from '../mm/machine.ts';
import { type Token, ZERO_TOKEN } from '../mm/units.ts';
import { ByteContents, Fnv1a } from './contents.ts';

/** All that contents ask of a machine is the next token. */
function tokens(): Machine {
  let next = 1;
  return { newToken: () => next++ as Token } as unknown as Machine;
}

test('a store leaves the old content as it was', () => {
  const [machine, contents] = [tokens(), new ByteContents()];
  const a = contents.changed(machine, ZERO_TOKEN, 0, 1, new Uint8Array([7]));
  const b = contents.changed(machine, a, 10, 14, new Uint8Array([1, 2]));
  expect([...contents.bytes(a).subarray(0, 15)]).toEqual([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect([...contents.bytes(b).subarray(0, 15)]).toEqual([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 2, 0]);
  expect([...contents.bytes(ZERO_TOKEN).subarray(0, 15)].every((byte) => byte === 0)).toBe(true);
});

test('a tail of zeros hides what was there', () => {
  const [machine, contents] = [tokens(), new ByteContents()];
  const full = contents.page(machine, new Uint8Array(4096).fill(9));
  const cut = contents.zeroed(machine, full, 100, 4096);
  expect(contents.bytes(cut)[99]).toBe(9);
  expect(contents.bytes(cut)[100]).toBe(0);
});

test('nothing changed is no new content', () => {
  const [machine, contents] = [tokens(), new ByteContents()];
  expect(contents.zeroed(machine, ZERO_TOKEN, 8, 8)).toBe(ZERO_TOKEN);
});

test('a page stored to a thousand times reads back', () => {
  const [machine, contents] = [tokens(), new ByteContents()];
  let token: Token = ZERO_TOKEN;
  for (let i = 0; i < 1000; i++) token = contents.changed(machine, token, i, i + 1, new Uint8Array([i % 251]));
  const bytes = contents.bytes(token);
  for (let i = 0; i < 1000; i++) expect(bytes[i]).toBe(i % 251);
});

test('the hash is FNV-1a of 32 bits', () => {
  const hash = new Fnv1a();
  hash.add(new TextEncoder().encode('foobar'), 0, 6);
  expect(hash.text).toBe('0xbf9cf968');
});
