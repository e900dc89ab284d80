/**
 * A snapshot as somebody without CAP_SYS_ADMIN would have taken it.
 *
 * Promises  What says where in memory a page is, is gone: frame numbers and swap slots of entries, the columns of /proc/kpage*, the
 *           ranges of /proc/iomem. That they are not there is among what is missing.
 * Linux     6.18 fs/proc/task_mmu.c: pte_to_pagemap_entry; kernel/resource.c: r_show
 */
import { ENTRY_NO_FRAME, ENTRY_PRESENT, ENTRY_SWAP_TYPE_SHIFT, type HostSnapshot } from '../host/snapshot.ts';

/** The bits below the number of the swap area. */
const OWN_BITS = (1 << ENTRY_SWAP_TYPE_SHIFT) - 1;

export function withoutFrameNumbers(snapshot: HostSnapshot): HostSnapshot {
  const { entries, texts, missing } = snapshot;
  const hidden = (bits: number) => (bits & OWN_BITS) | ((bits & ENTRY_PRESENT) === 0 ? 0 : ENTRY_NO_FRAME);
  return {
    ...snapshot,
    frames: null,
    entries: { ...entries, value: new Uint32Array(entries.value.length), bits: entries.bits.map(hidden) },
    texts: new Map([...texts].filter(([name]) => name !== 'iomem')),
    missing: [...missing, { what: 'frame numbers', why: 'serve was started without --frames', count: 1 }],
  };
}
