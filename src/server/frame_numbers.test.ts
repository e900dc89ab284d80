import { expect, test } from 'vitest';
import { fakeProc } from '../../test/host/fake_proc.ts';
import { LiveHost } from '../host/live_host.ts';
import { ENTRY_FILE, ENTRY_NO_FRAME, ENTRY_PRESENT, ENTRY_SWAP, isMapped } from '../host/snapshot.ts';
import { withoutFrameNumbers } from './frame_numbers.ts';

test('no frame, slot or range of memory is in it; what is present, swapped, shared stays', () => {
  const fake = fakeProc();
  const snapshot = new LiveHost(fake).snapshot();
  fake.remove();
  // One of each, whatever the made-up host has.
  const { entries } = snapshot;
  entries.bits.set([ENTRY_PRESENT | ENTRY_FILE, ENTRY_SWAP | (3 << 8), ENTRY_PRESENT | ENTRY_NO_FRAME]);
  entries.value.set([742_119, 4711, 0]);
  const known = { ...snapshot, texts: new Map([...snapshot.texts, ['iomem', '00001000-0009ffff : System RAM\n']]) };
  const hidden = withoutFrameNumbers(known);
  expect([...entries.bits].some(isMapped)).toBe(true);
  expect([...hidden.entries.bits].some(isMapped)).toBe(false);
  expect(new Set(hidden.entries.value)).toEqual(new Set([0]));
  expect([...hidden.entries.bits.subarray(0, 3)]).toEqual([
    ENTRY_PRESENT | ENTRY_FILE | ENTRY_NO_FRAME,
    ENTRY_SWAP,
    ENTRY_PRESENT | ENTRY_NO_FRAME,
  ]);
  expect(hidden.entries.page).toEqual(entries.page);
  expect(hidden.frames).toBe(null);
  expect(hidden.texts.has('iomem')).toBe(false);
  expect(hidden.texts.has('meminfo')).toBe(known.texts.has('meminfo'));
  expect(hidden.missing).toContainEqual({ what: 'frame numbers', why: 'serve was started without --frames', count: 1 });
});
