import { expect, test } from 'vitest';
import { GENERATIONS } from '../mm/generations/index.ts';
import { Machine } from '../mm/machine.ts';
import { countersOf } from './counters.ts';

/** What a result has no number for. */
function unknown(kernel: string): string[] {
  const machine = new Machine({ kernel, ramBytes: 16 * 2 ** 20 });
  return Object.entries(countersOf(machine, machine.rootMemcg))
    .filter(([, value]) => value === null)
    .map(([name]) => name);
}

test('2.5.59 counts what 2.6 counts', () => {
  expect(unknown('2.5.59')).toEqual(unknown('2.6.24'));
});

test('every kernel counts faults and swap traffic', () => {
  for (const { version } of GENERATIONS) {
    for (const name of ['pgfault', 'pswpin', 'pswpout']) expect(unknown(version), version).not.toContain(name);
  }
});
