/** What all commands print with. */
import { afterEach, expect, test } from 'vitest';
import { columns } from './output.ts';

const before = Object.getOwnPropertyDescriptor(process.stdout, 'columns');

afterEach(() => {
  if (before === undefined) Reflect.deleteProperty(process.stdout, 'columns');
  else Object.defineProperty(process.stdout, 'columns', before);
});

for (const { why, is, want } of [
  { why: 'a terminal', is: 132, want: 132 },
  { why: 'a pipe', is: undefined, want: 80 },
  { why: 'a serial console, which does not know', is: 0, want: 80 },
]) {
  test(`columns: ${why}`, () => {
    Object.defineProperty(process.stdout, 'columns', { value: is, configurable: true });
    expect(columns(80)).toBe(want);
  });
}
