/**
 * What happened to the pages of a process between two snapshots: the same page of the same mapping, then and now.
 *
 *   present at frame 5 → present at frame 9   was it mapped here alone? moved (compaction, migration, or given back and touched
 *                                             again: the table does not tell). Was it shared? copied (a write after fork).
 *   present → swap                            swapped out          swap → present    swapped in
 *   present → nothing                         dropped              nothing → present touched
 *
 * Promises  1. Only pages of mappings that both snapshots show at the same place, of the same file at the same offset; what came
 *              or went with its mapping is the mapping's.
 *           2. Each such page is in at most one class, and swapping the snapshots swaps the classes: moved stays
 *              moved, copied becomes shared, touched becomes dropped.
 */
import {
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_NO_FRAME,
  ENTRY_PRESENT,
  ENTRY_SWAP,
  type HostSnapshot,
  VMA_SEEN,
  VMA_SHARED,
} from '../snapshot.ts';

export const PAGE_CHANGES = [
  'moved',
  'copied',
  'shared',
  'file_moved',
  'file_to_anon',
  'anon_to_file',
  'swapped_out',
  'swapped_in',
  'swap_moved',
  'swap_dropped',
  'swap_appeared',
  'dropped',
  'touched',
] as const;
export type PageChange = (typeof PAGE_CHANGES)[number];

export type PageChanges = Partial<Record<PageChange, number>>;

/** Rows of `processes` in each. */
export function changedPages(a: HostSnapshot, processA: number, b: HostSnapshot, processB: number): PageChanges {
  const changes: PageChanges = {};
  const count = (change: PageChange | null) => {
    if (change !== null) changes[change] = (changes[change] ?? 0) + 1;
  };
  for (const [vmaA, vmaB] of sameMappings(a, processA, b, processB)) {
    // Rows count pages from their mapping's start, and B's may begin elsewhere.
    const shift = a.vmas.startPage[vmaA]! - b.vmas.startPage[vmaB]!;
    let rowA = a.vmas.firstEntry[vmaA]!;
    let rowB = b.vmas.firstEntry[vmaB]!;
    const endA = a.vmas.firstEntry[vmaA + 1]!;
    const endB = b.vmas.firstEntry[vmaB + 1]!;
    const first = Math.max(a.vmas.startPage[vmaA]!, b.vmas.startPage[vmaB]!) - a.vmas.startPage[vmaA]!;
    const end = Math.min(a.vmas.endPage[vmaA]!, b.vmas.endPage[vmaB]!) - a.vmas.startPage[vmaA]!;
    while (rowA < endA || rowB < endB) {
      const pageA = rowA < endA ? a.entries.page[rowA]! : Number.POSITIVE_INFINITY;
      const pageB = rowB < endB ? b.entries.page[rowB]! - shift : Number.POSITIVE_INFINITY;
      const page = Math.min(pageA, pageB);
      if (page >= first && page < end)
        count(changeOf(a, pageA === page ? rowA : null, b, pageB === page ? rowB : null));
      if (pageA === page) rowA += 1;
      if (pageB === page) rowB += 1;
    }
  }
  return changes;
}

function changeOf(a: HostSnapshot, rowA: number | null, b: HostSnapshot, rowB: number | null): PageChange | null {
  const bitsA = rowA === null ? 0 : a.entries.bits[rowA]!;
  const bitsB = rowB === null ? 0 : b.entries.bits[rowB]!;
  // Without frame numbers there is no telling.
  if (((bitsA | bitsB) & ENTRY_NO_FRAME) !== 0 && (bitsA & bitsB & ENTRY_PRESENT) !== 0) return null;
  const valueA = rowA === null ? 0 : a.entries.value[rowA]!;
  const valueB = rowB === null ? 0 : b.entries.value[rowB]!;
  if ((bitsA & ENTRY_SWAP) !== 0) {
    if ((bitsB & ENTRY_PRESENT) !== 0) return 'swapped_in';
    if ((bitsB & ENTRY_SWAP) === 0) return 'swap_dropped';
    return valueA === valueB && sameArea(bitsA, bitsB) ? null : 'swap_moved';
  }
  if ((bitsB & ENTRY_SWAP) !== 0) return (bitsA & ENTRY_PRESENT) !== 0 ? 'swapped_out' : 'swap_appeared';
  if ((bitsA & ENTRY_PRESENT) === 0) return 'touched';
  if ((bitsB & ENTRY_PRESENT) === 0) return 'dropped';
  if (valueA === valueB) return null;
  const fileA = (bitsA & ENTRY_FILE) !== 0;
  const fileB = (bitsB & ENTRY_FILE) !== 0;
  if (fileA && fileB) return 'file_moved';
  if (fileA) return 'file_to_anon';
  if (fileB) return 'anon_to_file';
  const aloneA = (bitsA & ENTRY_EXCLUSIVE) !== 0;
  const aloneB = (bitsB & ENTRY_EXCLUSIVE) !== 0;
  if (aloneA === aloneB) return 'moved';
  return aloneB ? 'copied' : 'shared';
}

const SWAP_TYPE_MASK = 0xff00;

function sameArea(bitsA: number, bitsB: number): boolean {
  return (bitsA & SWAP_TYPE_MASK) === (bitsB & SWAP_TYPE_MASK);
}

/** Pairs of VMAs that show the same part of the same thing at the same addresses, where they overlap. */
function* sameMappings(
  a: HostSnapshot,
  processA: number,
  b: HostSnapshot,
  processB: number,
): Generator<readonly [vmaA: number, vmaB: number]> {
  let vmaA = a.processes[processA]!.firstVma;
  let vmaB = b.processes[processB]!.firstVma;
  const endA = a.processes[processA]!.endVma;
  const endB = b.processes[processB]!.endVma;
  while (vmaA < endA && vmaB < endB) {
    const lastA = a.vmas.endPage[vmaA]!;
    const lastB = b.vmas.endPage[vmaB]!;
    const overlap = a.vmas.startPage[vmaA]! < lastB && b.vmas.startPage[vmaB]! < lastA;
    const seen = (a.vmas.perms[vmaA]! & b.vmas.perms[vmaB]! & VMA_SEEN) !== 0;
    if (overlap && seen && showsTheSame(a, vmaA, b, vmaB)) yield [vmaA, vmaB];
    if (lastA <= lastB) vmaA += 1;
    if (lastB <= lastA) vmaB += 1;
  }
}

/** The same file at the same offset for an address, or anonymous memory of the same sharing. */
function showsTheSame(a: HostSnapshot, vmaA: number, b: HostSnapshot, vmaB: number): boolean {
  const key = (snapshot: HostSnapshot, vma: number) => {
    const { vmas } = snapshot;
    const file = snapshot.files[vmas.file[vma]!];
    const offset = file === undefined ? 0 : vmas.pgoff[vma]! - vmas.startPage[vma]!;
    return `${file?.device} ${file?.inode} ${offset} ${vmas.perms[vma]! & VMA_SHARED}`;
  };
  return key(a, vmaA) === key(b, vmaB);
}
