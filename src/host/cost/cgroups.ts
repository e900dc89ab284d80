/**
 * `revmap ps --by cgroup`: what each cgroup's processes cost, and what the kernel charges it for.
 *
 *     charged (memory.current)   = anonymous + mapped of files + cache that nobody maps + kernel pages + the rest
 *     mapped by its processes    = charged to it + charged to other cgroups (who touched a page first pays for it)
 *
 * Both are counted frame by frame: the owner from /proc/kpagecgroup, the mappers from page tables. The rest of what is charged
 * is what has no owner there: slab objects, memory of sockets and per-CPU memory, and what CPUs hold in advance.
 *
 * Promises  1. A row is the cgroup without those below it, so rows add up: `charged_own_bytes` to what the root counts,
 *              `sum_pss_bytes` to that of all processes. `with_children` has the subtree, each frame once.
 *           2. A cgroup that processes are in and whose control files nobody could read has a row too, with nulls.
 *           3. /proc/kpagecgroup shows the nearest cgroup that still exists: what a removed one left is its parent's.
 * Linux     6.18 mm/memcontrol.c: page_cgroup_ino memory_current_read; mm/memcontrol-v1.c: mem_cgroup_read_u64
 */

import { type FrameTable, type HostCgroup, type HostSnapshot, NO_CGROUP } from '../snapshot.ts';
import { type CgroupName, cgroupName } from './cgroup_names.ts';
import { costsOfGroups } from './group_costs.ts';
import { bitsOfWords, WORD_ANON, WORD_TAIL, WORD_USER } from './kpf.ts';
import { type ExitCost, exitOf, hasMemory, type ProcessCosts, sumOfKnown } from './ps.ts';

const PAGE = 4096;
/** Version 1 says "no limit" with the largest number of pages. */
const NO_LIMIT_FROM = 2 ** 62;

/** Frames charged to it, by what they are. Adds up to `charged_own_bytes` with `rest_bytes`. */
export interface Charged {
  anonymous_bytes: number;
  /** Anonymous, and in no page table: on its way from or to swap. */
  anonymous_unmapped_bytes: number;
  file_mapped_bytes: number;
  /** Page cache and shared memory that no process maps. */
  cache_unmapped_bytes: number;
  /** Page tables, stacks and other whole pages of the kernel. */
  kernel_bytes: number;
  /** Slab objects, sockets, per-CPU memory: charged, but not by whole frames. May be below 0 while memory moves. */
  rest_bytes: number | null;
}

export interface CgroupCost {
  path: string;
  kind: CgroupName['kind'];
  name: string;
  pod: string | null;
  processes: number;
  /** Of them, those whose pages nobody let us see: they are in none of the figures of pages. */
  not_seen: number;
  /** Null if it is known of none of them. */
  sum_pss_bytes: number | null;
  /** Mapped by its processes, each frame once; by nobody else. Null where pages were not read. */
  rss_bytes: number | null;
  unique_bytes: number | null;
  /** Of what its processes map: charged to another cgroup. */
  mapped_charged_elsewhere_bytes: number | null;
  /** Of what is charged to it: mapped, but only by processes of others. */
  charged_mapped_elsewhere_bytes: number | null;
  /** Slots of swap that its processes hold, each once. */
  swap_bytes: number | null;
  /** What the kernel counts, with everything below it, and without. */
  charged_bytes: number | null;
  charged_own_bytes: number | null;
  charged: Charged | null;
  charged_swap_bytes: number | null;
  limit_bytes: number | null;
  exit: ExitCost | null;
  with_children: {
    processes: number;
    not_seen: number;
    sum_pss_bytes: number | null;
    rss_bytes: number | null;
    unique_bytes: number | null;
    swap_bytes: number | null;
  };
  /** The path of the cgroup above, if it has a row. */
  parent: string | null;
}

export interface CgroupsAnswer {
  cgroups: CgroupCost[];
  /** Sums of the rows. */
  total: {
    processes: number;
    sum_pss_bytes: number | null;
    charged_own_bytes: number;
    sum_unique_bytes: number;
    /** Mapped by processes of several cgroups: in no row's unique bytes. */
    between_cgroups_bytes: number | null;
  };
}

interface Node {
  readonly path: string;
  readonly cgroup: HostCgroup | null;
  /** Rows of processes. */
  readonly members: number[];
}

/** Rows without processes and without a charge are left out, unless `all`. */
export function cgroupCosts(costs: ProcessCosts, all = false): CgroupsAnswer {
  const { snapshot, ownership } = costs;
  const nodes = nodesOf(snapshot);
  const rowOfPath = new Map(nodes.map((node, row) => [node.path, row]));
  const parents = Int32Array.from(nodes, ({ path }) => parentRow(path, rowOfPath));
  const nodeOf = Int32Array.from(snapshot.processes, (p) => (hasMemory(p) ? rowOfPath.get(p.cgroup)! : -1));
  const own = costsOfGroups(ownership, nodeOf, new Int32Array(nodes.length).fill(-1));
  const below = costsOfGroups(ownership, nodeOf, parents);
  const charges = chargesOf(snapshot.frames, snapshot.cgroups.length);
  const elsewhere = elsewhereOf(costs, nodes, nodeOf);
  const isKnown = !ownership.hasHidden && costs.seen.includes(true);
  const sums = nodes.map(({ members }) => sumsOf(costs, members));
  const subtree = subtrees(sums, parents);
  const rows = nodes.map(({ path, cgroup, members }, row): CgroupCost => {
    const charged = chargedBytes(cgroup);
    const chargedOwn = withoutChildren(row, nodes, parents);
    const frames = cgroup === null ? null : (charges?.[snapshot.cgroups.indexOf(cgroup)] ?? null);
    return {
      path,
      ...cgroupName(path),
      ...sums[row]!,
      rss_bytes: isKnown ? own[row]!.rssBytes : null,
      unique_bytes: isKnown ? own[row]!.uniqueBytes : null,
      mapped_charged_elsewhere_bytes: elsewhere === null ? null : elsewhere.mapped[row]!,
      charged_mapped_elsewhere_bytes: elsewhere === null || cgroup === null ? null : elsewhere.charged[row]!,
      swap_bytes: ownership.hasHidden ? null : own[row]!.swapBytes,
      charged_bytes: charged,
      charged_own_bytes: chargedOwn,
      charged: frames === null ? null : { ...frames, rest_bytes: restOf(frames, chargedOwn) },
      charged_swap_bytes: chargedSwap(cgroup),
      limit_bytes: limitOf(cgroup),
      exit: isKnown
        ? exitOf(
            own[row]!,
            members.map((member) => snapshot.processes[member]!),
            true,
          )
        : null,
      with_children: {
        ...subtree[row]!,
        rss_bytes: isKnown ? below[row]!.rssBytes : null,
        unique_bytes: isKnown ? below[row]!.uniqueBytes : null,
        swap_bytes: ownership.hasHidden ? null : below[row]!.swapBytes,
      },
      parent: parents[row]! < 0 ? null : nodes[parents[row]!]!.path,
    };
  });
  const shown = all
    ? rows
    : rows.filter((row) => row.processes > 0 || (row.charged_own_bytes ?? row.charged_bytes ?? 0) > 0);
  const [everything] = costsOfGroups(
    ownership,
    nodeOf.map((node) => (node < 0 ? -1 : 0)),
    [-1],
  );
  const sumUnique = shown.reduce((sum, row) => sum + (row.unique_bytes ?? 0), 0);
  return {
    cgroups: shown,
    total: {
      processes: shown.reduce((sum, row) => sum + row.processes, 0),
      sum_pss_bytes: sumOfKnown(shown.map((row) => row.sum_pss_bytes)),
      charged_own_bytes: shown.reduce((sum, row) => sum + (row.charged_own_bytes ?? 0), 0),
      sum_unique_bytes: sumUnique,
      between_cgroups_bytes: isKnown ? everything!.uniqueBytes - sumUnique : null,
    },
  };
}

/** The cgroups that were read, and those that only processes name. */
function nodesOf({ cgroups, processes }: HostSnapshot): Node[] {
  const nodes = new Map<string, Node>();
  for (const cgroup of cgroups) nodes.set(cgroup.path, { path: cgroup.path, cgroup, members: [] });
  for (const [row, process] of processes.entries()) {
    if (!hasMemory(process)) continue;
    const node = nodes.get(process.cgroup) ?? { path: process.cgroup, cgroup: null, members: [] };
    node.members.push(row);
    nodes.set(process.cgroup, node);
  }
  return [...nodes.values()];
}

/** What is not below the mount (`inode:7`, '') has nobody above it. */
function parentRow(path: string, rowOfPath: ReadonlyMap<string, number>): number {
  if (!path.startsWith('/')) return -1;
  for (let at = path; at !== '/' && at !== ''; ) {
    at = at.slice(0, at.lastIndexOf('/'));
    const row = rowOfPath.get(at === '' ? '/' : at);
    if (row !== undefined) return row;
  }
  return -1;
}

interface Sums {
  processes: number;
  not_seen: number;
  sum_pss_bytes: number | null;
}

function sumsOf({ rows, seen }: ProcessCosts, members: readonly number[]): Sums {
  const own = members.filter((member) => rows[member]!.same_memory_as_pid === null);
  return {
    processes: members.length,
    not_seen: members.filter((member) => !seen[member]).length,
    sum_pss_bytes: members.length === 0 ? 0 : sumOfKnown(own.map((member) => rows[member]!.pss_bytes)),
  };
}

function subtrees(sums: readonly Sums[], parents: Int32Array): Sums[] {
  const subtree: Sums[] = sums.map(() => ({ processes: 0, not_seen: 0, sum_pss_bytes: null }));
  for (const [row, sum] of sums.entries()) {
    for (let above = row; above >= 0; above = parents[above]!) {
      subtree[above]!.processes += sum.processes;
      subtree[above]!.not_seen += sum.not_seen;
      subtree[above]!.sum_pss_bytes = sumOfKnown([subtree[above]!.sum_pss_bytes, sum.sum_pss_bytes]);
    }
  }
  return subtree;
}

type FrameCharges = Omit<Charged, 'rest_bytes'>;

/** Frame by frame; null where owners are not shown. */
function chargesOf(frames: FrameTable | null, cgroups: number): FrameCharges[] | null {
  if (frames === null) return null;
  const charges: FrameCharges[] = Array.from({ length: cgroups }, () => ({
    anonymous_bytes: 0,
    anonymous_unmapped_bytes: 0,
    file_mapped_bytes: 0,
    cache_unmapped_bytes: 0,
    kernel_bytes: 0,
  }));
  const kinds = bitsOfWords(frames);
  let owner = NO_CGROUP;
  let isAny = false;
  for (let pfn = 0; pfn < frames.count; pfn++) {
    const kind = kinds[frames.word[pfn]!]!;
    // Of a folio the kernel shows the owner at the first page.
    if ((kind & WORD_TAIL) === 0) owner = frames.cgroup[pfn]!;
    if (owner === NO_CGROUP || owner >= cgroups) continue;
    isAny = true;
    const charge = charges[owner]!;
    const isMapped = frames.mapcount[pfn]! > 0;
    if ((kind & WORD_ANON) !== 0) {
      if (isMapped) charge.anonymous_bytes += PAGE;
      else charge.anonymous_unmapped_bytes += PAGE;
    } else if (isMapped) charge.file_mapped_bytes += PAGE;
    else if ((kind & WORD_USER) !== 0) charge.cache_unmapped_bytes += PAGE;
    else charge.kernel_bytes += PAGE;
  }
  return isAny ? charges : null;
}

function restOf(frames: FrameCharges, chargedOwn: number | null): number | null {
  return chargedOwn === null ? null : chargedOwn - Object.values(frames).reduce((sum, bytes) => sum + bytes, 0);
}

/** Memory that one cgroup maps and another pays for, from both sides. */
function elsewhereOf({ snapshot, ownership }: ProcessCosts, nodes: readonly Node[], nodeOf: Int32Array) {
  const { frames, cgroups } = snapshot;
  if (frames === null || ownership.hasHidden || cgroups.length === 0) return null;
  const mapped = new Float64Array(nodes.length);
  const charged = new Float64Array(nodes.length);
  const nodeOfCgroup = cgroups.map((cgroup) => nodes.findIndex((node) => node.cgroup === cgroup));
  for (const { owners, chargedTo, bytes } of ownership.memory) {
    const payer = nodeOfCgroup[chargedTo] ?? -1;
    const mappers = new Set(owners.map((process) => nodeOf[process]!));
    for (const node of mappers) if (node >= 0 && node !== payer) mapped[node]! += bytes;
    if (payer >= 0 && !mappers.has(payer)) charged[payer]! += bytes;
  }
  return { mapped, charged };
}

function numberIn(cgroup: HostCgroup | null, ...names: string[]): number | null {
  for (const name of names) {
    const text = cgroup?.texts.get(name)?.trim();
    if (text !== undefined && /^\d+$/.test(text)) return Number(text);
  }
  return null;
}

function chargedBytes(cgroup: HostCgroup | null): number | null {
  return numberIn(cgroup, 'memory.current', 'memory.usage_in_bytes');
}

/** Version 1 counts memory and swap together. */
function chargedSwap(cgroup: HostCgroup | null): number | null {
  if (cgroup?.path === '/') return null;
  const swap = numberIn(cgroup, 'memory.swap.current');
  if (swap !== null) return swap;
  const both = numberIn(cgroup, 'memory.memsw.usage_in_bytes');
  const memory = chargedBytes(cgroup);
  return both === null || memory === null ? null : Math.max(0, both - memory);
}

function limitOf(cgroup: HostCgroup | null): number | null {
  const limit = numberIn(cgroup, 'memory.max', 'memory.limit_in_bytes');
  return limit === null || limit >= NO_LIMIT_FROM ? null : limit;
}

/** The root is not charged: version 2 does not show it, and what version 1 shows there has no kernel memory in it. */
function withoutChildren(row: number, nodes: readonly Node[], parents: Int32Array): number | null {
  const charged = nodes[row]!.path === '/' ? null : chargedBytes(nodes[row]!.cgroup);
  if (charged === null) return null;
  let below = 0;
  for (let child = 0; child < nodes.length; child++) {
    if (parents[child] === row) below += chargedBytes(nodes[child]!.cgroup) ?? 0;
  }
  return Math.max(0, charged - below);
}
