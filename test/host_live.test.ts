/** The library `revmap/host` as a program uses it: on a /proc that is always the same, and on this host. */
import { afterAll, expect, test } from 'vitest';
import { LiveHost, ProcessCosts, ReverseMap } from '../src/host/index.ts';
import { fakeProc } from './host/fake_proc.ts';

const fake = fakeProc();
afterAll(() => fake.remove());
const host = new LiveHost(fake);
const HEAP = 0x1000000;

test('who: the live way and the snapshot find the same mappers', () => {
  const answer = host.who({ pfn: 200 });
  expect(answer?.frame?.mappers.map(({ pid, address }) => [pid, address])).toEqual([
    [10, HEAP],
    [20, HEAP],
  ]);
  expect(host.who({ pid: 20, address: HEAP + 12 })?.frame?.pfn).toBe(200);
  expect(host.who({ pfn: 2 ** 30 })).toBeNull();
  expect(host.who({ pid: 11, address: HEAP })).toBeNull();
  expect(host.who({ path: '/bin/a that nobody maps', offset: 0 })).toBeNull();
  const snapshot = host.snapshot();
  expect(new ReverseMap(snapshot).entriesOf(200)).toHaveLength(2);
  expect(new ProcessCosts(snapshot).rows.map(({ pid }) => pid)).toContain(20);
});

test('this host: our own process is in it, with what it maps', () => {
  const snapshot = new LiveHost().snapshot({ pids: [process.pid], frames: 'none' });
  const own = snapshot.processes.find(({ pid }) => pid === process.pid)!;
  expect(own.parentPid).toBe(process.ppid);
  expect(own.endVma - own.firstVma).toBeGreaterThan(20);
  expect(snapshot.entries.count).toBeGreaterThan(1000);
  expect(snapshot.missing.map(({ why }) => why)).toContain('not asked for');
});

test('progress comes once for each process, and at the end', () => {
  const calls: string[] = [];
  host.snapshot({ progress: (done, of) => calls.push(`${done}/${of}`) });
  expect(calls).toEqual(['0/3', '1/3', '2/3', '3/3']);
});
