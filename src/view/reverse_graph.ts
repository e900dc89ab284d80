/**
 * The picture of who maps a frame, as data: nodes in columns and rows, edges, and the visits that the kernel's walk makes.
 *
 * Owns      the form of the answer, and the small builder that numbers nodes.
 * Promises  1. A node stands in one column; rows are in the order of the walk. Whoever draws needs nothing but this.
 *           2. Every visit maps the page, or is in vain and says why.
 */

/** A fact of a node: its name in the kernel, its value, and what that says. */
export interface Field {
  readonly name: string;
  readonly value: string;
  readonly says: string;
}

export type NodeKind =
  | 'frame'
  | 'owner'
  | 'parent'
  | 'slot'
  | 'link'
  | 'passed'
  | 'left-out'
  | 'vma'
  | 'mm'
  | 'pte'
  | 'more'
  | 'nobody';

export interface GraphNode {
  readonly id: number;
  readonly kind: NodeKind;
  /** 0 is the frame; from left to right. */
  readonly column: number;
  /** How far below the top of its tree it stands. */
  readonly depth: number;
  readonly title: string;
  /** What is drawn below the title. */
  readonly lines: readonly string[];
  readonly fields: readonly Field[];
  /** Of a VMA: the formula with its numbers, drawn below its row. */
  readonly formula: string | null;
  /** Where a click on it chooses a page; null: nowhere. */
  readonly page: { readonly pid: number; readonly address: number } | null;
  /** In vain, or behind the end of the walk. */
  readonly inVain: boolean;
  /** Of a word with a tag in its low bits: what they are, the lowest last. */
  readonly tag: TaggedWord | null;
}

/** page->mapping: a pointer whose low bits say what it points to. */
export interface TaggedWord {
  readonly pointer: string;
  /** As many bits as the kernel uses, the lowest last. */
  readonly bits: string;
  readonly says: string;
}

export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly inVain: boolean;
}

/** How an address was found, with its numbers. Pages where Linux has pages, bytes where it has bytes. */
export type Formula =
  | { readonly kind: 'linear'; readonly start: number; readonly index: number; readonly pgoff: number }
  /** 2.5: the page that holds the table knows which address its first entry is of. */
  | { readonly kind: 'table'; readonly base: number; readonly entry: number }
  /** KSM: an item says it. */
  | { readonly kind: 'item'; readonly address: number }
  /** It was met there: nothing was computed. */
  | { readonly kind: 'met'; readonly address: number }
  | { readonly kind: 'none' };

/** One thing that the walk looks at, and what came of it. */
export interface Visit {
  /** From 0, in the order of the kernel's loop; where visits are left out, numbers are. */
  readonly number: number;
  /** Nodes on the way from the frame to it, as far as they are drawn. */
  readonly path: readonly number[];
  readonly process: string;
  /** null: the process is none of those that the page names. */
  readonly pid: number | null;
  readonly mm: number;
  readonly start: number;
  readonly end: number;
  readonly region: string;
  /** In bytes; null: the page can have no place there. */
  readonly address: number | null;
  readonly formula: Formula;
  readonly formulaText: string;
  readonly maps: boolean;
  /** Why it was in vain; '' if it was not. */
  readonly why: string;
  /** Bits of the entry that maps the page, in words. */
  readonly bits: readonly string[];
  /** The kernel's walk has met as many entries as mapcount says before it comes here, and stops. */
  readonly behindTheEnd: boolean;
  /** Page-table entries that were looked at here. */
  readonly entries: number;
}

/** What a walk costs, up to where the kernel's own loop ends. */
export interface Cost {
  readonly mms: number;
  readonly vmas: number;
  /** anon_vma_chain, pte_chain blocks, rmap_items. */
  readonly links: number;
  readonly entries: number;
  readonly found: number;
  readonly inVain: number;
}

export interface PageLookup {
  readonly title: string;
  readonly steps: readonly string[];
}

export interface ReverseAnswer {
  readonly pfn: number;
  readonly kernel: string;
  /** How this kernel finds the way, in a sentence. */
  readonly scheme: string;
  /** Names of the columns, by number. */
  readonly columns: readonly string[];
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly visits: readonly Visit[];
  /** Visits that are not in the list. */
  readonly moreVisits: { readonly maps: number; readonly inVain: number };
  /** null: of a host nobody can say. */
  readonly cost: Cost | null;
  readonly mapcount: number | null;
  /** Why nobody is found, and what else is to be said. */
  readonly notes: readonly string[];
  /** How the page is found from the other side: by file and offset, or by swap entry. */
  readonly lookups: readonly PageLookup[];
}

export type NewNode = Partial<Omit<GraphNode, 'id'>> & Pick<GraphNode, 'kind' | 'column' | 'title'>;

export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly edges: GraphEdge[] = [];

  add(node: NewNode): number {
    const id = this.nodes.length;
    const usual = { depth: 0, lines: [], fields: [], formula: null, page: null, inVain: false, tag: null };
    this.nodes.push({ ...usual, ...node, id });
    return id;
  }

  link(from: number, to: number, label = '', inVain = false): void {
    this.edges.push({ from, to, label, inVain });
  }
}

export function field(name: string, value: string | number, says = ''): Field {
  return { name, value: String(value), says };
}

export function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

/** What a formula comes to, in bytes; null: to nothing. */
export function addressBy(formula: Formula): number | null {
  if (formula.kind === 'linear') return formula.start + (formula.index - formula.pgoff) * 4096;
  if (formula.kind === 'table') return formula.base + formula.entry * 4096;
  return formula.kind === 'none' ? null : formula.address;
}

export function formulaText(formula: Formula): string {
  const result = addressBy(formula);
  const is = result === null ? '' : ` = ${result < 0 ? `−${hex(-result)}` : hex(result)}`;
  switch (formula.kind) {
    case 'linear':
      return `${hex(formula.start)} + ((${hex(formula.index)} − ${hex(formula.pgoff)}) << 12)${is}`;
    case 'table':
      return `${hex(formula.base)} + (entry ${formula.entry} << 12)${is}`;
    case 'item':
      return `the rmap_item says ${hex(formula.address)}`;
    case 'met':
      return `met at ${hex(formula.address)}: nothing is computed`;
    default:
      return 'no address can be computed';
  }
}
