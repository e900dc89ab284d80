/**
 * From a way (reverse_groups.ts) to the picture: which candidates are drawn, and each visit with its path.
 *
 * Owns      how much is shown. Whoever maps the page comes first; of what is left out the number is said.
 */
import type { Machine } from '../mm/machine.ts';
import { PTE_DIRTY, PTE_HUGE, PTE_RW, PTE_YOUNG } from '../mm/page_table.ts';
import { addrOf, NO_VPN } from '../mm/units.ts';
import { VM_EXEC, VM_LOCKED, VM_MAYSHARE, VM_READ, VM_WRITE } from '../mm/vm_flags.ts';
import type { Vma } from '../mm/vma.ts';
import { nameOf } from './reverse_frame.ts';
import {
  type Cost,
  counted,
  type Field,
  field,
  formulaText,
  type GraphBuilder,
  hex,
  type Visit,
} from './reverse_graph.ts';
import type { Candidate, Group, Met, Way } from './reverse_groups.ts';

/** Rows of the picture: those that map the page, and all. */
const MOST_MAPPERS = 16;
const MOST_ROWS = 24;
/** Small rows: nodes that a search passes by, and what it leaves out. */
const MOST_SMALL = 60;
/** Visits in the list that map nothing, and those that do. */
const MOST_VISITS = 300;
const MOST_FOUND = 1000;

export interface ProcessName {
  readonly pid: number;
  readonly comm: string;
}

export interface Walk {
  readonly visits: Visit[];
  readonly moreVisits: { maps: number; inVain: number };
  readonly cost: Cost;
}

export interface Asked {
  readonly machine: Machine;
  readonly mapcount: number;
  readonly processes: ReadonlyMap<number, readonly ProcessName[]>;
  /** A page that is to be shown whatever else is left out. */
  readonly pid: number | null;
  readonly address: number | null;
}

/** Adds rows for `way`; they hang on the node `hub`, which `trunk` leads to from the frame. */
export function buildWalk(graph: GraphBuilder, asked: Asked, way: Way, hub: number, trunk: readonly number[]): Walk {
  return new WalkBuilder(graph, asked, way, hub, trunk).build();
}

class WalkBuilder {
  private readonly graph: GraphBuilder;
  private readonly asked: Asked;
  private readonly way: Way;
  private readonly hub: number;
  private readonly trunk: readonly number[];
  /** With the group that each hangs on: in an ascending tree who is above a node may come after it. */
  private readonly visits: { visit: Visit; group: number }[] = [];
  private readonly moreVisits = { maps: 0, inVain: 0 };
  private readonly cost = { mms: 0, vmas: 0, links: 0, entries: 0, found: 0, inVain: 0 };
  private readonly shown: Set<Candidate>;
  /** Node of each group that is drawn. */
  private readonly groupNodes: (number | undefined)[] = [];
  private number = 0;
  private found = 0;
  private small = 0;
  /** The last group that is drawn: what is left out hangs on it. */
  private last: number;
  /** Candidates left out since the last row. */
  private hidden = { vmas: 0, maps: 0 };

  constructor(graph: GraphBuilder, asked: Asked, way: Way, hub: number, trunk: readonly number[]) {
    this.graph = graph;
    this.asked = asked;
    this.way = way;
    this.hub = hub;
    this.trunk = trunk;
    this.last = hub;
    this.shown = this.choose();
  }

  build(): Walk {
    const { groups } = this.way;
    for (let number = 0; number < groups.length; number++) this.addGroup(groups[number]!, number);
    this.tellHidden();
    this.linkGroups();
    const visits = this.visits.map(({ visit, group }) => ({
      ...visit,
      path: visit.path.length === 0 ? [] : [...this.pathTo(group), ...visit.path],
    }));
    return { visits, moreVisits: this.moreVisits, cost: this.cost };
  }

  /** Whose rows are drawn: the chosen page's, those that map the page, the first of the others. */
  private choose(): Set<Candidate> {
    const all = this.way.groups.flatMap(({ candidates }) => candidates);
    const shown = new Set(all.filter((candidate) => this.isChosen(candidate)).slice(0, 1));
    const mapping = all.filter(({ met }) => met.some(({ maps }) => maps));
    for (const candidate of mapping.slice(0, MOST_MAPPERS)) shown.add(candidate);
    for (const candidate of all) if (shown.size < MOST_ROWS) shown.add(candidate);
    return shown;
  }

  private isChosen({ vma, met }: Candidate): boolean {
    const { pid, address } = this.asked;
    if (pid === null || address === null || !this.namesOf(vma).some((one) => one.pid === pid)) return false;
    return met.some(({ vpn }) => vpn !== NO_VPN && addrOf(vpn) === address);
  }

  private namesOf(vma: Vma): readonly ProcessName[] {
    return this.asked.processes.get(vma.vmMm.id) ?? [];
  }

  private addGroup(group: Group, number: number): void {
    const isSmall = group.kind !== 'link';
    const drawn = isSmall ? this.small < MOST_SMALL : this.isDrawn(group);
    if (isSmall && drawn) this.small += 1;
    if (!this.isBehindTheEnd()) {
      if (this.way.counts === 'mms') this.cost.mms += 1;
      if (this.way.counts === 'links' && !isSmall) this.cost.links += 1;
    }
    if (drawn) {
      this.tellHidden();
      const { kind, mm, lines, fields, depth } = group;
      const inVain = !isSmall && !group.candidates.some(({ met }) => met.some(({ maps }) => maps));
      const title = mm === null ? group.title : processText(this.asked.processes.get(mm) ?? [], mm);
      this.last = this.graph.add({ kind, column: 2, depth, title, lines, fields, inVain });
      this.groupNodes[number] = this.last;
    }
    for (const candidate of group.candidates) this.addCandidate(candidate, number);
  }

  private isDrawn({ candidates }: Group): boolean {
    return candidates.length === 0 || candidates.some((candidate) => this.shown.has(candidate));
  }

  private isBehindTheEnd(): boolean {
    return this.way.endsAtMapcount && this.found >= this.asked.mapcount;
  }

  private addCandidate(candidate: Candidate, group: number): void {
    const { vma, met } = candidate;
    const drawn = this.shown.has(candidate);
    if (!drawn) {
      this.hidden.vmas += 1;
      this.hidden.maps += met.filter(({ maps }) => maps).length;
    } else this.tellHidden();
    if (!this.isBehindTheEnd()) this.cost.vmas += 1;
    let nodes: readonly number[] = [];
    for (const one of met) {
      const behind = this.isBehindTheEnd();
      if (drawn) nodes = this.draw(vma, one, this.groupNodes[group]!, behind, nodes);
      this.addVisit(vma, one, group, nodes, behind);
    }
  }

  private addVisit(vma: Vma, one: Met, group: number, path: readonly number[], behind: boolean): void {
    if (!behind) {
      this.cost.entries += one.entries;
      if (one.maps) this.cost.found += 1;
      else this.cost.inVain += 1;
    }
    if (one.maps) this.found += 1;
    const number = this.number;
    this.number += 1;
    const isListed = path.length > 0 || (one.maps ? this.found <= MOST_FOUND : this.visits.length < MOST_VISITS);
    if (!isListed) {
      if (one.maps) this.moreVisits.maps += 1;
      else this.moreVisits.inVain += 1;
      return;
    }
    const names = this.namesOf(vma);
    const visit: Visit = {
      number,
      path,
      process: processText(names, vma.vmMm.id),
      pid: names[0]?.pid ?? null,
      mm: vma.vmMm.id,
      start: addrOf(vma.vmStart),
      end: addrOf(vma.vmEnd),
      region: regionText(vma),
      address: one.vpn === NO_VPN ? null : addrOf(one.vpn),
      formula: one.formula,
      formulaText: formulaText(one.formula),
      maps: one.maps,
      why: one.why,
      bits: one.maps ? bitsOf(this.asked.machine, one.slot) : [],
      behindTheEnd: behind,
      entries: one.entries,
    };
    this.visits.push({ visit, group });
  }

  /** Nodes of one visit behind its group, in the order in which this kernel comes to them; `before`: of the VMA's visit before. */
  private draw(vma: Vma, one: Met, group: number, behind: boolean, before: readonly number[]): readonly number[] {
    const { graph, way } = this;
    const nodes: number[] = [];
    way.order.forEach((kind, at) => {
      // A VMA in which the page is found twice is drawn once.
      if (before.length > 0 && kind !== 'pte') {
        nodes.push(before[at]!);
        return;
      }
      const node = this.addNode(kind, at + 3, vma, one, behind);
      graph.link(nodes.at(-1) ?? group, node, '', !one.maps);
      nodes.push(node);
    });
    return nodes;
  }

  private pathTo(group: number): number[] {
    const nodes: number[] = [];
    for (let at = group; at >= 0; at = this.way.groups[at]!.above) {
      const node = this.groupNodes[at];
      if (node !== undefined) nodes.unshift(node);
    }
    return [...this.trunk, ...nodes];
  }

  private addNode(kind: 'vma' | 'mm' | 'pte', column: number, vma: Vma, one: Met, behind: boolean): number {
    const inVain = !one.maps;
    const names = this.namesOf(vma);
    const address = one.vpn === NO_VPN ? addrOf(vma.vmStart) : addrOf(one.vpn);
    const page = names.length === 0 ? null : { pid: names[0]!.pid, address };
    const where = { kind, column, inVain, page };
    if (kind === 'vma') {
      const computes = this.way.endsAtMapcount && one.formula.kind !== 'met';
      const formula = computes ? formulaText(one.formula) : null;
      const lines = [`${hex(addrOf(vma.vmStart))}‥${hex(addrOf(vma.vmEnd))}`];
      return this.graph.add({ ...where, title: `VMA ${regionText(vma)}`, lines, fields: vmaFields(vma), formula });
    }
    if (kind === 'mm') {
      const { id, mapCount, rssPages } = vma.vmMm;
      const fields = [
        field(
          'mm',
          id,
          names.map(({ pid, comm }) => `${pid} (${comm})`).join(', ') || 'of no process that the page names',
        ),
        field('map_count', mapCount, 'VMAs of the address space'),
        field('rss', counted(rssPages, 'page'), 'that it has in memory'),
      ];
      return this.graph.add({ ...where, title: processText(names, id), lines: [`mm ${id}`], fields });
    }
    return this.graph.add({ ...where, ...this.pteText(one, behind) });
  }

  private pteText(one: Met, behind: boolean): { title: string; lines: string[]; fields: Field[] } {
    const bits = one.maps ? bitsOf(this.asked.machine, one.slot) : [];
    const end = behind ? ['… if the walk came here'] : [];
    const says = one.maps ? 'the entry has the frame: it maps the page' : `in vain: ${one.why}`;
    const title = one.vpn === NO_VPN ? 'no entry' : `PTE of ${hex(addrOf(one.vpn))}`;
    const fields = [
      field('address', one.vpn === NO_VPN ? 'none' : hex(addrOf(one.vpn)), formulaText(one.formula)),
      field('entry', one.maps ? `maps it: ${bits.join(', ')}` : 'does not map it', says),
    ];
    const lines = one.maps ? [`✓ ${bits.join(' ')}`] : [`✗ in vain: ${one.why}`, ...end];
    return { title, lines, fields };
  }

  /** One small row for all that was left out since the last. */
  private tellHidden(): void {
    const { vmas, maps } = this.hidden;
    if (vmas === 0) return;
    this.hidden = { vmas: 0, maps: 0 };
    const rest = maps === 0 ? 'in vain' : `${maps.toLocaleString('en')} map it`;
    const title = `… ${counted(vmas, 'more VMA')}: ${rest}`;
    this.graph.link(this.last, this.graph.add({ kind: 'more', column: 3, title, inVain: maps === 0 }), '', maps === 0);
  }

  /** Edges between groups, when all are there: in an ascending tree a node comes after what is on its left. */
  private linkGroups(): void {
    const onTheWay = new Set(this.visits.filter(({ visit }) => visit.maps).flatMap(({ group }) => this.pathTo(group)));
    this.way.groups.forEach((group, number) => {
      const node = this.groupNodes[number];
      if (node === undefined) return;
      let above = group.above;
      while (above >= 0 && this.groupNodes[above] === undefined) above = this.way.groups[above]!.above;
      this.graph.link(above < 0 ? this.hub : this.groupNodes[above]!, node, group.edge, !onTheWay.has(node));
    });
  }
}

function vmaFields(vma: Vma): Field[] {
  const file = vma.vmFile;
  return [
    field('vm_start', hex(addrOf(vma.vmStart)), 'first address'),
    field('vm_end', hex(addrOf(vma.vmEnd)), 'first address behind it'),
    field('vm_pgoff', file === null ? hex(vma.vmPgoff) : vma.vmPgoff, 'which page of the object vm_start shows'),
    field(
      'vm_flags',
      permsOf(vma),
      `${(vma.vmFlags & VM_LOCKED) === 0 ? '' : 'locked; '}${file === null ? 'private anonymous memory' : file.inode.name}`,
    ),
    ...(vma.anonVma === null
      ? []
      : [
          field(
            'anon_vma',
            vma.anonVma.id,
            vma.anonVmaChain.length === 0
              ? 'the list on which it stands'
              : `its own; anon_vma_chain (same_vma): ${vma.anonVmaChain.map(({ anonVma }) => anonVma.id).join(', ')}`,
          ),
        ]),
  ];
}

function permsOf({ vmFlags }: Vma): string {
  const letter = (bit: number, yes: string): string => ((vmFlags & bit) === 0 ? '-' : yes);
  return `${letter(VM_READ, 'r')}${letter(VM_WRITE, 'w')}${letter(VM_EXEC, 'x')}${(vmFlags & VM_MAYSHARE) === 0 ? 'p' : 's'}`;
}

function regionText(vma: Vma): string {
  return `${permsOf(vma)} ${vma.vmFile === null ? 'anonymous' : nameOf(vma.vmFile.inode.name)}`;
}

function processText(names: readonly ProcessName[], mm: number): string {
  const [first] = names;
  if (first === undefined) return `mm ${mm}`;
  const more = names.length > 1 ? ` +${names.length - 1}` : '';
  return first.comm === `process ${first.pid}` ? `process ${first.pid}${more}` : `${first.pid} ${first.comm}${more}`;
}

/** What the entry says beside the frame. */
function bitsOf({ pageTables }: Machine, slot: number): string[] {
  const words = [pageTables.has(slot, PTE_RW) ? 'rw' : 'ro'];
  for (const [bit, word] of [
    [PTE_YOUNG, 'young'],
    [PTE_DIRTY, 'dirty'],
    [PTE_HUGE, 'huge'],
  ] as const) {
    if (pageTables.has(slot, bit)) words.push(word);
  }
  return words;
}
