/**
 * Frames worth a look, for whoever has chosen none: one of each kind that there is.
 *
 * Promises  One pass over the frames. At most MOST_WALKS walks are made, to find one with candidates in vain.
 */
import { ENTRY_FILE, isMapped } from '../host/snapshot.ts';
import { wordOfFrame } from '../host/who/who.ts';
import { AddressSpace } from '../mm/fs.ts';
import { StableNode } from '../mm/ksm_page.ts';
import type { Machine } from '../mm/machine.ts';
import { PAGE_MAPPING_ANON, PG_buddy, PG_head, PG_slab, PG_swapcache, PG_table } from '../mm/page_flags.ts';
import { AnonVma } from '../mm/rmap/anon_vma.ts';
import { AnonVmaList } from '../mm/rmap/anon_vma_list.ts';
import type { Pfn } from '../mm/units.ts';
import { ownerOf, whoMaps } from '../mm/who.ts';
import { hasKpf, KPF_ZERO_PAGE } from '../proc/kpage_flags.ts';
import { counted } from './reverse_graph.ts';
import { describeHostFrame } from './reverse_host.ts';
import type { HostSubject, Subject } from './subject.ts';

export interface InterestingFrame {
  readonly pfn: number;
  readonly title: string;
  readonly says: string;
}

const MOST_WALKS = 200;

function ofMachine(machine: Machine): InterestingFrame[] {
  const { frames } = machine;
  const best = new Map<string, { pfn: number; worth: number }>();
  const offer = (what: string, pfn: number, worth: number): void => {
    if (worth > (best.get(what)?.worth ?? 0)) best.set(what, { pfn, worth });
  };
  const inVain = { walks: 0, pfn: -1, count: 0 };
  for (let pfn = 0 as Pfn; pfn < frames.frames; pfn = (pfn + 1) as Pfn) {
    if (frames.refcount(pfn) === 0) {
      if (frames.has(pfn, PG_buddy)) offer('free', pfn, 1);
      continue;
    }
    const mapcount = frames.mapcount(pfn);
    const word = frames.mapping(pfn);
    if (word === 0) {
      if (frames.has(pfn, PG_slab)) offer('slab', pfn, 1);
      else if (frames.has(pfn, PG_table)) offer('table', pfn, 1);
      continue;
    }
    if (frames.has(pfn, PG_swapcache)) offer('swapcache', pfn, 1 + mapcount);
    if ((word & 3) === 3) offer('ksm', pfn, 1 + mapcount);
    else if ((word & PAGE_MAPPING_ANON) !== 0) offer(frames.has(pfn, PG_head) ? 'huge' : 'anon', pfn, mapcount);
    else offer(mapcount > 0 ? 'file' : 'cache', pfn, Math.max(mapcount, 1));
    if (inVain.walks < MOST_WALKS && candidatesOf(machine, word) > mapcount && mapcount > 0) {
      inVain.walks += 1;
      const count = whoMaps(machine, pfn).inVain.length;
      if (count > inVain.count) Object.assign(inVain, { pfn, count });
    }
  }
  if (inVain.count > 0) best.set('vain', { pfn: inVain.pfn, worth: inVain.count });
  best.set('zero', { pfn: machine.zeroPfn, worth: 1 });
  return KINDS.flatMap(([what, title, says]) => {
    const found = best.get(what);
    return found === undefined ? [] : [{ pfn: found.pfn, title, says: says(found.worth) }];
  });
}

/** The most that a walk from this object could meet. */
function candidatesOf(machine: Machine, word: number): number {
  const owner: unknown = ownerOf(machine, word);
  if (machine.rmap.walksAll === true || owner === null) return 0;
  if (owner instanceof AddressSpace) return owner.iMmap.size;
  if (owner instanceof AnonVma) return owner.tree.size;
  if (owner instanceof AnonVmaList) return owner.size;
  return owner instanceof StableNode ? owner.items.length : 0;
}

const KINDS: readonly (readonly [what: string, title: string, says: (worth: number) => string])[] = [
  ['anon', 'The most shared anonymous page', (worth) => counted(worth, 'entry maps it', 'entries map it')],
  ['file', 'The most shared page of a file', (worth) => counted(worth, 'entry maps it', 'entries map it')],
  [
    'vain',
    'A page with candidates in vain',
    (worth) => `${counted(worth, 'VMA that may map it does', 'VMAs that may map it do')} not`,
  ],
  ['ksm', 'A page that KSM merged', (worth) => counted(worth - 1, 'entry maps it', 'entries map it')],
  ['huge', 'A large folio', () => 'its first frame'],
  [
    'swapcache',
    'A page in the swap cache',
    (worth) => (worth === 1 ? 'mapped by nobody' : counted(worth - 1, 'entry maps it', 'entries map it')),
  ],
  ['cache', 'A page of a file that nobody maps', () => 'the page cache alone has it'],
  ['zero', 'The shared page of zeros', () => 'in many tables, counted in none'],
  ['table', 'A page table', () => 'it maps, and is not mapped'],
  ['slab', 'A page of slab', () => 'of the kernel'],
  ['free', 'A free frame', () => 'no page is in it'],
];

function ofHost(subject: HostSubject): InterestingFrame[] {
  const { snapshot, reverse } = subject;
  const { entries } = snapshot;
  const best = { anon: { pfn: -1, count: 0 }, file: { pfn: -1, count: 0 }, zero: { pfn: -1, count: 0 } };
  for (let row = 0; row < entries.count; row++) {
    if (!isMapped(entries.bits[row]!)) continue;
    const pfn = entries.value[row]!;
    const count = reverse.countOf(pfn);
    const kind = (entries.bits[row]! & ENTRY_FILE) === 0 ? best.anon : best.file;
    if (count <= kind.count) continue;
    const isZero = hasKpf(wordOfFrame(snapshot, pfn) ?? 0, KPF_ZERO_PAGE);
    Object.assign(isZero ? best.zero : kind, { pfn, count });
  }
  const titles = [
    ['The most shared anonymous page', best.anon],
    ['The most shared page of a file', best.file],
    ['The shared page of zeros', best.zero],
  ] as const;
  return titles.flatMap(([title, { pfn, count }]) =>
    count === 0 ? [] : [{ pfn, title, says: describeHostFrame(subject, pfn) }],
  );
}

export function interesting(subject: Subject): InterestingFrame[] {
  return subject.kind === 'host' ? ofHost(subject) : ofMachine(subject.machine);
}
