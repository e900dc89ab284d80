/**
 * The reverse map of one frame as a picture: what leads from it to every entry that maps it, and what is looked at in vain.
 *
 * Owns      the questions of the view. reverse_frame.ts has where the way begins, reverse_groups.ts each kernel's way,
 *           reverse_build.ts what is drawn of it, reverse_host.ts the same for a host.
 * Promises  1. Visits that map are exactly the entries that map the frame (the shared pages of zeros aside: nobody counts them).
 *           2. Only looks: the machine and what it counts stay as they were.
 * Read      docs/reverse-map.md
 */

import type { Machine } from '../mm/machine.ts';
import { compoundHead } from '../mm/page_alloc.ts';
import { PG_head, PG_tail } from '../mm/page_flags.ts';
import type { Rmap } from '../mm/parts.ts';
import { AnonVma } from '../mm/rmap/anon_vma.ts';
import { PteChainRmap } from '../mm/rmap/pte_chain.ts';
import type { Pfn } from '../mm/units.ts';
import { ownerOf, whoMaps } from '../mm/who.ts';
import { buildWalk, type ProcessName } from './reverse_build.ts';
import { anonVmaNode, frameNode, ownerNode, slotNode, whyNobody } from './reverse_frame.ts';
import { counted, type Field, field, GraphBuilder, type ReverseAnswer } from './reverse_graph.ts';
import { type Way, wayOf } from './reverse_groups.ts';
import { reverseOfHost } from './reverse_host.ts';
import { interesting } from './reverse_interesting.ts';
import { lookupsOf } from './reverse_lookup.ts';
import { resolve, type Selection } from './selection.ts';
import type { MachineSubject, Subject } from './subject.ts';

/** null: there is no such frame. `pid` and `address` name a place that is to be in the picture. */
function reverse(subject: Subject, pfn: number, pid: number | null, address: number | null): ReverseAnswer | null {
  if (!Number.isInteger(pfn) || pfn < 0) return null;
  if (subject.kind === 'host') return reverseOfHost(subject, pfn, pid, address);
  return pfn < subject.machine.frames.frames ? reverseOfMachine(subject, pfn as Pfn, pid, address) : null;
}

/** The same for a machine that is in no timeline. */
export function reverseOfMachine(
  { machine, living }: Pick<MachineSubject, 'machine' | 'living'>,
  pfn: Pfn,
  pid: number | null,
  address: number | null,
): ReverseAnswer {
  const before = { ...machine.work };
  const who = whoMaps(machine, pfn);
  const way = wayOf(machine, pfn);
  const graph = new GraphBuilder();
  const frame = graph.add(frameNode(machine, pfn, who));
  const trunk = [frame];
  const owner = ownerNode(machine, pfn);
  const slot = slotNode(machine, pfn);
  let hub = frame;
  if (owner !== null) {
    hub = graph.add(owner);
    graph.link(frame, hub, 'mapping');
    trunk.push(hub);
  }
  const start = startNode(machine.mms.length, machine.rmap, way);
  if (start !== null) {
    hub = graph.add({ kind: 'owner', column: 1, ...start });
    graph.link(frame, hub, start.edge, start.dashed);
    trunk.splice(1, trunk.length, hub);
  }
  addParents(graph, ownerOf(machine, machine.frames.mapping(pfn)), owner === null ? null : hub);
  if (slot !== null) graph.link(frame, graph.add(slot), 'private');
  const nobody = whyNobody(machine, pfn);
  if (nobody !== null && way.groups.length === 0) {
    graph.link(hub, graph.add({ kind: 'nobody', column: 2, title: 'nobody maps it' }));
  }
  const processes = processNames(living);
  const asked = { machine, mapcount: who.mapcount, processes, pid, address };
  const walk = buildWalk(graph, asked, way, hub, trunk);
  Object.assign(machine.work, before);
  return {
    pfn,
    kernel: machine.generation.version,
    scheme: schemeOf(machine.rmap, way),
    columns: [
      'frame',
      'object',
      machine.rmap.walksAll === true ? 'address space' : 'link',
      ...way.order.map(columnName),
    ],
    nodes: graph.nodes,
    edges: graph.edges,
    ...walk,
    mapcount: who.mapcount,
    notes: [
      ...(nobody === null ? [] : [nobody]),
      ...notesOf(machine, pfn, way),
      ...missedText(who.mapcount, walk.cost.found),
    ],
    lookups: lookupsOf(machine, pfn),
  };
}

function columnName(kind: 'vma' | 'mm' | 'pte'): string {
  return { vma: 'VMA', mm: 'address space', pte: 'page-table entry' }[kind];
}

/** Where the walk begins in kernels in which the object does not lead to VMAs. */
function startNode(
  mms: number,
  rmap: Rmap,
  way: Way,
): { title: string; lines: string[]; fields: Field[]; edge: string; dashed: boolean } | null {
  if (way.groups.length === 0) return null;
  if (rmap.walksAll === true) {
    const says = 'every address space: the frame itself leads to none of them';
    const fields = [field('init_mm.mmlist', counted(mms, 'address space'), says)];
    return {
      title: 'init_mm.mmlist',
      lines: [counted(mms, 'address space'), 'nothing leads here'],
      fields,
      edge: 'no way back',
      dashed: true,
    };
  }
  if (!(rmap instanceof PteChainRmap)) return null;
  const [group] = way.groups;
  const direct = group!.title === 'pte.direct';
  const says = direct ? 'PG_direct: the word is the entry itself' : 'the word points to blocks of entries';
  const title = direct ? 'page→pte.direct' : 'page→pte.chain';
  const lines = [direct ? 'PG_direct: one entry' : counted(way.groups.length, 'block')];
  return { title, lines, fields: [field('pte', direct ? 'direct' : 'chain', says)], edge: 'pte', dashed: false };
}

/** The ancestors of an anon_vma, up to the root. */
function addParents(graph: GraphBuilder, owner: unknown, node: number | null): void {
  if (!(owner instanceof AnonVma) || node === null) return;
  let below = node;
  for (let at = owner; at.parent !== at; at = at.parent) {
    const above = graph.add(anonVmaNode(at.parent, 'parent'));
    graph.link(below, above, 'parent');
    below = above;
  }
}

function schemeOf(rmap: Rmap, way: Way): string {
  if (way.groups.length === 0) return 'No way leads from this frame to a process.';
  if (rmap.walksAll === true) {
    return '2.4 has no reverse map: only a look through every entry of every address space would tell. Reclaim cannot pay for that, so swap_out goes through the address spaces instead and takes what it meets.';
  }
  if (rmap instanceof PteChainRmap) {
    return 'The frame knows its entries (pte_chain): nothing is met in vain, and every fork, fault and exit pays for it.';
  }
  if (way.counts === 'links') {
    return 'The mapping names an anon_vma, whose tree of links leads to the VMAs that may have the page: those of the process that made it, and of its forks.';
  }
  return 'The frame knows its object, the object its VMAs; each VMA gives one address to look at.';
}

function notesOf(machine: Machine, pfn: Pfn, way: Way): string[] {
  const { frames, rmap, largeFolios } = machine;
  const notes: string[] = [];
  if (frames.has(pfn, PG_head | PG_tail)) {
    const head = compoundHead(machine, pfn);
    if (largeFolios.has(head))
      notes.push(
        `Part of the large folio that begins at frame ${head}: reclaim asks for the folio as a whole; this is the walk for one of its pages.`,
      );
  }
  if (rmap.walksAll === true && way.groups.length > 0) {
    notes.push(
      'struct page of 2.4 has no mapcount either: whoever has found some entries cannot know that there are no more.',
    );
  }
  return notes;
}

/** A page that KSM merged may have entries that no item leads to yet (mm/ksm_page.ts). */
function missedText(mapcount: number, found: number): string[] {
  if (found >= mapcount) return [];
  const says = 'a fork of a merged page, whose parent’s rmap_item went, is found when ksmd has come by';
  return [`The walk meets ${found} of ${counted(mapcount, 'entry', 'entries')}: ${says}.`];
}

/** By address space. Threads and vforked children share one. */
function processNames(living: MachineSubject['living']): ReadonlyMap<number, readonly ProcessName[]> {
  const names = new Map<number, ProcessName[]>();
  for (const { pid, comm, mm } of living) {
    const known = names.get(mm.id);
    if (known === undefined) names.set(mm.id, [{ pid, comm }]);
    else known.push({ pid, comm });
  }
  return names;
}

/** The same for what is chosen, wherever it is at this moment. `chosen` has both names of it. */
function reverseChosen(
  subject: Subject,
  selection: Selection,
): { readonly chosen: Selection; readonly answer: ReverseAnswer | null } {
  const chosen = resolve(subject, selection);
  const { pfn, pid, address } = chosen;
  return { chosen, answer: pfn === null ? null : reverse(subject, pfn, pid, address) };
}

export const reverseQueries = { reverse, reverseChosen, interesting } as const;
