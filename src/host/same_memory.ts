/**
 * Processes that have one address space between them (vfork, clone with CLONE_VM): two pids, one page table.
 *
 * Promises  Two processes are taken for one only on proof: the same areas, and a page that the kernel says is mapped once
 *           stands in both. A child just forked has the same areas too, but its pages are mapped twice.
 */
import {
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_NO_FRAME,
  ENTRY_PRESENT,
  type HostProcess,
  type HostSnapshot,
} from './snapshot.ts';

/** For each process the first one (its row) that has the same address space: itself, mostly. */
export function sameMemory(snapshot: HostSnapshot): Uint32Array {
  const { processes } = snapshot;
  const first = Uint32Array.from(processes, (_, row) => row);
  const alike = new Map<string, number[]>();
  processes.forEach((process, row) => {
    if (process.firstVma === process.endVma) return;
    const key = keyOf(snapshot, process);
    const known = alike.get(key) ?? [];
    const twin = known.find((other) => haveOne(snapshot, processes[other]!, process));
    if (twin === undefined) alike.set(key, [...known, row]);
    else first[row] = twin;
  });
  return first;
}

/** Address spaces of equal shape. They are laid out at random, so few that are not one have the same key. */
function keyOf({ vmas }: HostSnapshot, { firstVma, endVma }: HostProcess): string {
  return `${endVma - firstVma} ${vmas.startPage[firstVma]} ${vmas.endPage[endVma - 1]}`;
}

function haveOne(snapshot: HostSnapshot, a: HostProcess, b: HostProcess): boolean {
  const { startPage, endPage, firstEntry } = snapshot.vmas;
  let proof = false;
  for (let va = a.firstVma, vb = b.firstVma; va < a.endVma; va++, vb++) {
    if (startPage[va] !== startPage[vb] || endPage[va] !== endPage[vb]) return false;
    proof ||= shareOnePage(snapshot, firstEntry[va]!, firstEntry[va + 1]!, firstEntry[vb]!, firstEntry[vb + 1]!);
  }
  return proof;
}

const ONCE = ENTRY_PRESENT | ENTRY_EXCLUSIVE;

/** Whether a page of one VMA that is mapped once stands in the other too, at the same place. */
function shareOnePage({ entries }: HostSnapshot, a: number, endA: number, b: number, endB: number): boolean {
  const { page, value, bits } = entries;
  while (a < endA && b < endB) {
    if (page[a]! < page[b]!) a += 1;
    else if (page[a]! > page[b]!) b += 1;
    else {
      const isOnce = (bits[a]! & bits[b]! & ONCE) === ONCE;
      const isAnonymous = ((bits[a]! | bits[b]!) & (ENTRY_FILE | ENTRY_NO_FRAME)) === 0;
      if (isOnce && isAnonymous && value[a] === value[b]) return true;
      a += 1;
      b += 1;
    }
  }
  return false;
}
