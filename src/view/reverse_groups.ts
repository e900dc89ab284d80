/**
 * The kernel's own way from a page to the VMAs that may map it, link by link, in the order of its loop.
 *
 * Owns      how each generation's object is told: a list, a tree, a chain of entries, items of KSM, or nothing at all (2.4).
 * Promises  1. Groups, candidates and what was met stand in the order of Rmap.walk, and are as many.
 *           2. Only looks: nothing is counted in machine.work.
 * Linux     6.18 mm/rmap.c: rmap_walk_anon rmap_walk_file; mm/ksm.c: rmap_walk_ksm; 2.6.24 mm/rmap.c: page_referenced_anon
 *           page_referenced_file; 2.5.59 mm/rmap.c: page_referenced; 2.4.19 mm/vmscan.c: swap_out_vma (the same way, forward)
 */
import { AddressSpace } from '../mm/fs.ts';
import { IntervalTree } from '../mm/interval_tree.ts';
import { StableNode } from '../mm/ksm_page.ts';
import type { Machine } from '../mm/machine.ts';
import { NO_SLOT } from '../mm/page_table.ts';
import { PrioTree } from '../mm/prio_tree.ts';
import { AnonVma } from '../mm/rmap/anon_vma.ts';
import { AnonVmaList, pageLockAnonVma } from '../mm/rmap/anon_vma_list.ts';
import { NonlinearFileVmas } from '../mm/rmap/nonlinear.ts';
import { PteChainRmap } from '../mm/rmap/pte_chain.ts';
import { addrOf, NO_VPN, type Pfn, type Vpn } from '../mm/units.ts';
import { type IntervalLinks, type Vma, vmaAddressWithin } from '../mm/vma.ts';
import { ownerOf, whyNot } from '../mm/who.ts';
import { counted, type Field, type Formula, field, hex } from './reverse_graph.ts';
import { intervalSteps, prioSteps, type TreeStep } from './reverse_trees.ts';

/** What was looked at in a VMA. */
export interface Met {
  /** NO_VPN: the page can have no place there. */
  readonly vpn: Vpn;
  readonly slot: number;
  readonly maps: boolean;
  readonly why: string;
  readonly formula: Formula;
  readonly entries: number;
}

export interface Candidate {
  readonly vma: Vma;
  readonly met: readonly Met[];
}

/** A link of the object, and the VMAs that it leads to. */
export interface Group {
  readonly kind: 'link' | 'passed' | 'left-out';
  readonly depth: number;
  /** The group above it; -1: the object itself. */
  readonly above: number;
  readonly edge: string;
  readonly title: string;
  /** Of an address space: its id; its process names it. */
  readonly mm: number | null;
  readonly lines: readonly string[];
  readonly fields: readonly Field[];
  readonly candidates: readonly Candidate[];
}

/** Groups of a page, and how the kernel's loop over them ends. */
export interface Way {
  readonly groups: readonly Group[];
  /** It ends when as many entries were met as mapcount says. */
  readonly endsAtMapcount: boolean;
  /** What a group is, for the count of costs: a link of its own, a VMA, an address space. */
  readonly counts: 'links' | 'nothing' | 'mms';
  /** In which order one comes to a region, its process, its entry. */
  readonly order: readonly ('vma' | 'mm' | 'pte')[];
}

const LINEAR = ['vma', 'mm', 'pte'] as const;
const NO_WAY: Way = { groups: [], endsAtMapcount: true, counts: 'nothing', order: LINEAR };

export function wayOf(machine: Machine, pfn: Pfn): Way {
  const { frames, rmap } = machine;
  const owner: unknown = ownerOf(machine, frames.mapping(pfn));
  const mapped = frames.mapcount(pfn) > 0;
  if (rmap.walksAll === true) {
    const mayBeMapped = frames.refcount(pfn) > 0 && frames.mapping(pfn) !== 0;
    return mayBeMapped
      ? { groups: everywhere(machine, pfn), endsAtMapcount: false, counts: 'mms', order: ['vma', 'pte'] }
      : NO_WAY;
  }
  if (rmap instanceof PteChainRmap) {
    const order = ['pte', 'mm', 'vma'] as const;
    return { groups: chainBlocks(machine, rmap, pfn), endsAtMapcount: false, counts: 'links', order };
  }
  if (owner instanceof AddressSpace) {
    return { groups: fileVmas(machine, pfn, owner), endsAtMapcount: true, counts: 'nothing', order: LINEAR };
  }
  if (!mapped) return NO_WAY;
  if (owner instanceof AnonVmaList) {
    return { groups: flatList(machine, pfn), endsAtMapcount: true, counts: 'nothing', order: LINEAR };
  }
  if (owner instanceof AnonVma) {
    return { groups: linkTree(machine, pfn, owner), endsAtMapcount: true, counts: 'links', order: LINEAR };
  }
  if (owner instanceof StableNode) {
    return { groups: ksmItems(machine, pfn, owner), endsAtMapcount: true, counts: 'links', order: LINEAR };
  }
  return NO_WAY;
}

// 3.16 and 6.x: a tree of links

function linkTree(machine: Machine, pfn: Pfn, anonVma: AnonVma): Group[] {
  const index = machine.frames.index(pfn);
  const { top } = anonVma.tree;
  const steps = intervalSteps(
    top,
    index,
    hex,
    ({ vma }) => vma,
    ({ links }) => links as IntervalLinks<NonNullable<typeof top>>,
  );
  return treeGroups(
    steps,
    ({ vma }) => candidate(machine, pfn, vma),
    'anon_vma_chain',
    ({ vma }) => [
      field('vma', `${hex(addrOf(vma.vmStart))}‥${hex(addrOf(vma.vmEnd))}`, 'whose link it is'),
      field('anon_vma', anonVma.id, 'to which it leads'),
      field(
        'same_vma',
        vma.anonVmaChain.map((avc) => avc.anonVma.id).join(', '),
        'every anon_vma that this VMA is linked to',
      ),
      field(
        'rb',
        `one of ${counted(anonVma.tree.size, 'link')}`,
        'its place in the tree of the anon_vma (same_anon_vma)',
      ),
    ],
  );
}

// files

function fileVmas(machine: Machine, pfn: Pfn, { iMmap }: AddressSpace): Group[] {
  const index = machine.frames.index(pfn);
  const linear = iMmap instanceof NonlinearFileVmas ? iMmap.linear : iMmap;
  const fields = (vma: Vma): Field[] => [
    field('vm_pgoff', vma.vmPgoff, 'the first page of the file that it shows'),
    field('last', vma.vmPgoff + vma.pages - 1, 'and the last'),
    field('i_mmap', `one of ${counted(linear.size, 'VMA')}`, 'in the tree of the file'),
  ];
  const found = (vma: Vma): Candidate => candidate(machine, pfn, vma);
  const groups =
    linear instanceof PrioTree
      ? treeGroups(prioSteps(linear, index), found, 'prio_tree_node', fields)
      : linear instanceof IntervalTree
        ? treeGroups(
            intervalSteps<Vma>(
              linear.top as Vma | null,
              index,
              String,
              (vma) => vma,
              (vma) => vma.shared,
            ),
            found,
            'shared.rb',
            fields,
          )
        : [];
  if (iMmap instanceof NonlinearFileVmas && iMmap.nonlinear.length > 0) {
    groups.push({
      ...PLAIN,
      edge: 'i_mmap_nonlinear',
      title: 'i_mmap_nonlinear',
      lines: [`a list of ${counted(iMmap.nonlinear.length, 'VMA')}`, 'no address can be computed'],
      fields: [
        field(
          'i_mmap_nonlinear',
          iMmap.nonlinear.length,
          'VMAs whose pages stand in any order: reclaim sweeps through them',
        ),
      ],
      candidates: iMmap.nonlinear.map((vma) => ({ vma, met: sweep(machine, pfn, vma) })),
    });
  }
  return groups;
}

const PLAIN = {
  kind: 'link',
  depth: 0,
  above: -1,
  edge: '',
  title: '',
  mm: null,
  lines: [],
  fields: [],
  candidates: [],
} as const;

function treeGroups<T>(
  steps: readonly TreeStep<T>[],
  found: (member: T) => Candidate,
  name: string,
  fieldsOf: (member: T) => Field[],
): Group[] {
  const numbers = new Map(steps.map(({ member }, number) => [member, number]));
  return steps.map(({ member, depth, above, side, verdict, interval, says, members }) => ({
    kind: verdict === 'shows' ? 'link' : verdict === 'passed' ? 'passed' : 'left-out',
    depth,
    above: above === null ? -1 : numbers.get(above)!,
    edge: side === 'root' ? '' : side,
    mm: null,
    ...groupText({ side, verdict, interval, says, members }, name),
    fields: [field('interval', interval.join(', '), 'pages of the object that it shows'), ...fieldsOf(member)],
    candidates: verdict === 'shows' ? [found(member)] : [],
  }));
}

function groupText(
  { side, verdict, interval, says, members }: Omit<TreeStep<unknown>, 'member' | 'above' | 'depth'>,
  name: string,
): Pick<Group, 'title' | 'lines'> {
  const [range, subtree] = interval;
  const where = { root: '', left: 'left: ', right: 'right: ', equal: 'same: ' }[side];
  const below = subtree === undefined ? [] : [subtree];
  if (verdict === 'left out') return { title: `${where}${counted(members, 'VMA')} left out`, lines: [says] };
  if (verdict === 'passed') return { title: `${where}${range}`, lines: [`passed: ${says}`, ...below] };
  return { title: name, lines: [`${where}${range}`, ...below] };
}

// 2.6: a list

function flatList(machine: Machine, pfn: Pfn): Group[] {
  const list = [...(pageLockAnonVma(machine, pfn) ?? [])];
  return list.map((vma, number) => ({
    ...PLAIN,
    above: number - 1,
    edge: number === 0 ? 'head' : 'next',
    title: `anon_vma_node ${number + 1}`,
    lines: [`of ${list.length} on the list`],
    fields: [field('anon_vma_node', `${number + 1} of ${list.length}`, 'its place on the list: that of its coming')],
    candidates: [candidate(machine, pfn, vma)],
  }));
}

// 2.5: entries

function chainBlocks(machine: Machine, rmap: PteChainRmap, pfn: Pfn): Group[] {
  const entries: Candidate[] = [];
  rmap.walk(pfn, (vma, vpn) => {
    const base = (vpn - (vpn % 512)) as Vpn;
    const formula: Formula = { kind: 'table', base: addrOf(base), entry: vpn % 512 };
    entries.push({ vma, met: [look(machine, pfn, vma, vpn, formula)] });
    return true;
  });
  if (entries.length === 0) return [];
  const blocks = rmap.blocksOf(pfn);
  if (blocks.length === 0) {
    const says = 'the only entry that maps the page; PG_direct says that it is no chain';
    return [
      {
        ...PLAIN,
        title: 'pte.direct',
        lines: ['one entry, no block'],
        fields: [field('pte.direct', 1, says)],
        candidates: entries,
      },
    ];
  }
  let done = 0;
  return blocks.map((taken, number) => {
    done += taken;
    const free = rmap.nrPte - taken;
    return {
      ...PLAIN,
      above: number - 1,
      edge: number === 0 ? 'pte.chain' : 'next',
      title: `pte_chain ${number + 1} of ${blocks.length}`,
      lines: [`${'– '.repeat(free)}${'e '.repeat(taken)}`.trim()],
      fields: [field('ptes', `${taken} of ${rmap.nrPte}`, 'entries in the block; free places stand at its beginning')],
      candidates: entries.slice(done - taken, done),
    };
  });
}

// KSM

/** As rmapWalkKsm goes: where ksmd has been, then where the page went by fork since. */
function ksmItems(machine: Machine, pfn: Pfn, node: StableNode): Group[] {
  const groups: Group[] = [];
  const seen = new Map<Vma, Set<Vpn>>();
  for (const forks of [false, true]) {
    node.items.forEach(({ mm, vpn, anonVma }, number) => {
      const candidates: Candidate[] = [];
      const { tree } = anonVma!;
      for (
        let avc = tree.firstIn(0, Number.POSITIVE_INFINITY);
        avc !== null;
        avc = tree.nextIn(avc, 0, Number.POSITIVE_INFINITY)
      ) {
        const { vma } = avc;
        if (vpn < vma.vmStart || vpn >= vma.vmEnd || (vma.vmMm === mm) === forks) continue;
        const met = look(machine, pfn, vma, vpn, { kind: 'item', address: addrOf(vpn) });
        const places = seen.get(vma) ?? new Set();
        const again = places.has(vpn) ? { maps: false, why: 'it was found through another item before' } : {};
        seen.set(vma, places.add(vpn));
        candidates.push({ vma, met: [{ ...met, ...again }] });
      }
      if (forks && candidates.length === 0) return;
      groups.push({
        ...PLAIN,
        edge: forks ? 'forks of' : 'item',
        title: `rmap_item ${number + 1} of ${node.items.length}`,
        lines: [`mm ${mm.id} at ${hex(addrOf(vpn))}`, `anon_vma ${anonVma!.id}${forks ? ', its forks' : ''}`],
        fields: [
          field('mm', mm.id, 'the address space in which ksmd found the page'),
          field('address', hex(addrOf(vpn)), 'and where'),
          field('anon_vma', anonVma!.id, `its ${counted(tree.size, 'link')} lead to the VMA and to its forks`),
        ],
        candidates,
      });
    });
  }
  return groups;
}

// 2.4: everything

function everywhere(machine: Machine, pfn: Pfn): Group[] {
  return machine.mms.map((mm, number) => {
    const candidates: Candidate[] = [];
    for (let vma = mm.vmas.first(); vma !== null; vma = mm.vmas.next(vma)) {
      candidates.push({ vma, met: everyEntry(machine, pfn, vma) });
    }
    const entries = candidates.reduce((sum, { met }) => sum + met.reduce((all, one) => all + one.entries, 0), 0);
    return {
      ...PLAIN,
      above: number - 1,
      edge: number === 0 ? '' : 'next',
      mm: mm.id,
      lines: [`mm ${mm.id}, ${counted(candidates.length, 'VMA')}`, `${counted(entries, 'entry', 'entries')} looked at`],
      fields: [
        field('mmlist', `${number + 1} of ${machine.mms.length}`, 'its place on the list of all address spaces'),
        field('map_count', candidates.length, 'VMAs, and each is looked through'),
        field('rss', mm.rssPages, 'pages that are mapped here'),
      ],
      candidates,
    };
  });
}

/** As the walk of 2.4 goes: every entry of every table that there is. */
function everyEntry(machine: Machine, pfn: Pfn, vma: Vma): Met[] {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  const met: Met[] = [];
  let looked = 0;
  for (let at = pageTables.nextTable(root, vma.vmStart, vma.vmEnd); at < vma.vmEnd; ) {
    const slot = pageTables.slotOf(root, at);
    looked += 1;
    if (pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn) {
      met.push({ ...look(machine, pfn, vma, at, { kind: 'met', address: addrOf(at) }), entries: looked });
      looked = 0;
    }
    at = (at + 1) as Vpn;
    if (at % 512 === 0) at = pageTables.nextTable(root, at, vma.vmEnd);
  }
  if (met.length === 0) return [nothingMet(looked, looked === 0 ? 'no page table' : none(looked))];
  const last = met[met.length - 1]!;
  return [...met.slice(0, -1), { ...last, entries: last.entries + looked }];
}

function none(entries: number): string {
  return entries === 1 ? 'its entry does not map it' : `none of its ${entries.toLocaleString('en')} entries maps it`;
}

function nothingMet(entries: number, why: string): Met {
  return { vpn: NO_VPN, slot: NO_SLOT, maps: false, why, formula: { kind: 'none' }, entries };
}

// one VMA

/** At the place that the formula gives. */
function candidate(machine: Machine, pfn: Pfn, vma: Vma): Candidate {
  const index = machine.frames.index(pfn);
  const formula: Formula = { kind: 'linear', start: addrOf(vma.vmStart), index, pgoff: vma.vmPgoff };
  return { vma, met: [look(machine, pfn, vma, vmaAddressWithin(vma, index), formula)] };
}

/** A nonlinear VMA: entry by entry. */
function sweep(machine: Machine, pfn: Pfn, vma: Vma): Met[] {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  const met: Met[] = [];
  let looked = 0;
  let at = pageTables.nextTable(root, vma.vmStart, vma.vmEnd);
  while (at < vma.vmEnd) {
    const slot = pageTables.slotOf(root, at);
    looked += 1;
    if (pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn) {
      met.push({ ...look(machine, pfn, vma, at, { kind: 'met', address: addrOf(at) }), entries: looked });
      looked = 0;
    }
    at = pageTables.nextTable(root, (at + 1) as Vpn, vma.vmEnd);
  }
  return met.length > 0 ? met : [nothingMet(looked, looked === 0 ? 'no page table' : none(looked))];
}

function look(machine: Machine, pfn: Pfn, vma: Vma, vpn: Vpn, formula: Formula): Met {
  const { pageTables } = machine;
  const slot = vpn === NO_VPN ? NO_SLOT : pageTables.slotOf(vma.vmMm.pageTables, vpn);
  const maps = slot !== NO_SLOT && pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn;
  const why = maps ? '' : whyNot(machine, slot, vpn === NO_VPN);
  return { vpn, slot, maps, why, formula, entries: slot === NO_SLOT ? 0 : 1 };
}
