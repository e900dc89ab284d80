/**
 * NUMA policy: from which node a task's or a mapping's memory comes.
 *
 *   default     the node of the CPU, then the others by distance        bind        only nodes of the mask
 *   preferred   one node first, then the others                         interleave  nodes of the mask in turn; in a mapping by the page's offset
 *
 *   a VMA's policy (mbind) wins over the task's (set_mempolicy); page tables, slabs and the page cache follow the task's
 *
 * Owns      Task.mempolicy, Task.ilNext and Vma.vmPolicy; moving pages to where a policy wants them.
 * Promises  1. VMAs with different policies do not merge; a VMA that is split keeps its policy in both parts.
 *           2. With bind no page comes from another node, unless only a zone below the policy's serves the request.
 * Linux     3.16 mm/mempolicy.c: do_set_mempolicy do_mbind mbind_range mpol_equal alloc_pages_current alloc_pages_vma
 *           interleave_nodes offset_il_node policy_zonelist policy_nodemask apply_policy_zone do_migrate_pages queue_pages_range;
 *           mm/migrate.c: do_move_page_to_node_array
 *
 * DIFFERS: a shared object has no policy of its own; that of the VMA through which it is touched counts.
 *          MPOL_LOCAL, the flags for cpusets and migration on fault are left out.
 */
import { EACCES, EFAULT, EINVAL, EIO, ENOENT, ENOMEM } from './errno.ts';
import { __GFP_HIGHMEM, __GFP_MOVABLE, GFP_HIGHUSER_MOVABLE, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { isolateForMigration, MIGRATE_SYNC, migratePages, putbackMovablePages } from './migrate.ts';
import type { Mm } from './mm.ts';
import { putPage } from './page_alloc.ts';
import { physical_3 } from './page_alloc_3.ts';
import { NO_SLOT, PTE_SPECIAL } from './page_table.ts';
import type { Task } from './task.ts';
import { NO_PFN, PAGE_SIZE, type Pfn, pagesOf, type Vpn, vpnOf } from './units.ts';
import type { Vma } from './vma.ts';
import { vmaModifyPolicy } from './vma_merge.ts';
import type { Zone } from './zone.ts';
import { ZONE_MOVABLE } from './zone.ts';

export const MPOL_DEFAULT = 0;
export const MPOL_PREFERRED = 1;
export const MPOL_BIND = 2;
export const MPOL_INTERLEAVE = 3;

export const MPOL_MF_STRICT = 1;
export const MPOL_MF_MOVE = 2;
export const MPOL_MF_MOVE_ALL = 4;

/** Bit n: node n. */
export type Nodemask = number;

export class Mempolicy {
  readonly mode: number;
  readonly nodes: Nodemask;
  constructor(mode: number, nodes: Nodemask) {
    this.mode = mode;
    this.nodes = nodes;
  }
}

/** Policies of two neighbours that could become one (mpol_equal). */
export function mpolEqual(a: Mempolicy | null, b: Mempolicy | null): boolean {
  return a === b || (a !== null && b !== null && a.mode === b.mode && a.nodes === b.nodes);
}

// system calls

/** set_mempolicy(2). 0 or -errno. */
export function doSetMempolicy(machine: Machine, task: Task, mode: number, nodes: Nodemask): number {
  const policy = newPolicy(machine, mode, nodes);
  if (typeof policy === 'number') return policy;
  task.mempolicy = policy;
  if (mode === MPOL_INTERLEAVE) task.ilNext = firstNode(nodes);
  return 0;
}

/** mbind(2). 0 or -errno. */
export function doMbind(
  machine: Machine,
  mm: Mm,
  addr: number,
  length: number,
  mode: number,
  nodes: Nodemask,
  flags: number,
): number {
  if ((flags & ~(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL;
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  const start = vpnOf(addr);
  const end = (start + pagesOf(length)) as Vpn;
  if (end === start) return 0;
  const policy = newPolicy(machine, mode, nodes);
  if (typeof policy === 'number') return policy;
  if (hasHole(mm, start, end)) return -EFAULT;
  const wrong = misplacedPages(machine, mm, start, end, policy, (flags & MPOL_MF_MOVE_ALL) !== 0);
  const strict = (flags & MPOL_MF_STRICT) !== 0;
  if (strict && (flags & (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) === 0 && wrong.length > 0) return -EIO;
  const failed = mbindRange(machine, mm, start, end, policy);
  if (failed < 0) return failed;
  if ((flags & (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) === 0) return 0;
  let next = 0;
  const allowed = policy === null ? [0] : nodesOf(policy.nodes);
  const left = movePagesTo(machine, wrong, () => allowed[next++ % allowed.length]!);
  return left !== 0 && strict ? -EIO : 0;
}

/** migrate_pages(2): every page of the address space on a node of `from` to the node of `to` at the same place in the mask. How many stay. */
export function doMigratePages(machine: Machine, mm: Mm, from: Nodemask, to: Nodemask): number {
  const sources = nodesOf(from);
  const targets = nodesOf(to);
  if (targets.length === 0 || (to & ~allNodes(machine)) !== 0) return -EINVAL;
  let left = 0;
  for (let i = 0; i < sources.length; i++) {
    const target = targets[i % targets.length]!;
    if (target === sources[i]) continue;
    const pages: Pfn[] = [];
    for (const vma of mm.vmas) {
      for (const pfn of pagesIn(machine, vma, vma.vmStart, vma.vmEnd)) {
        if (nodeOf(machine, pfn) === sources[i] && machine.frames.mapcount(pfn) === 1) pages.push(pfn);
      }
    }
    left += movePagesTo(machine, pages, () => target);
  }
  return left;
}

/** move_pages(2): for each address the node where its page is afterwards, or -errno. Without `nodes` it only asks. */
export function doMovePages(
  machine: Machine,
  mm: Mm,
  addresses: readonly number[],
  nodes: readonly number[] | null,
  flags: number,
): number[] | number {
  if ((flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL;
  return addresses.map((addr, i) => {
    const vpn = vpnOf(addr);
    if (mm.vmas.findExact(vpn) === null) return -EFAULT;
    const pfn = presentPage(machine, mm, vpn);
    if (pfn === NO_PFN) return -ENOENT;
    const target = nodes === null ? nodeOf(machine, pfn) : nodes[i]!;
    if (target === nodeOf(machine, pfn)) return target;
    if (machine.nodes[target] === undefined) return -EINVAL;
    if (machine.frames.mapcount(pfn) > 1 && (flags & MPOL_MF_MOVE_ALL) === 0) return -EACCES;
    movePagesTo(machine, [pfn], () => target);
    const now = presentPage(machine, mm, vpn);
    return now === NO_PFN ? -ENOENT : nodeOf(machine, now);
  });
}

function newPolicy(machine: Machine, mode: number, nodes: Nodemask): Mempolicy | null | number {
  if (mode < MPOL_DEFAULT || mode > MPOL_INTERLEAVE) return -EINVAL;
  if ((nodes & ~allNodes(machine)) !== 0) return -EINVAL;
  if (mode === MPOL_DEFAULT) return nodes === 0 ? null : -EINVAL;
  // Preferred without a node is the local one.
  if (nodes === 0) return mode === MPOL_PREFERRED ? new Mempolicy(mode, 0) : -EINVAL;
  return new Mempolicy(mode, nodes);
}

function hasHole(mm: Mm, start: Vpn, end: Vpn): boolean {
  let at: number = start;
  for (let vma = mm.vmas.find(start); vma !== null && vma.vmStart <= at && at < end; vma = vma.vmNext) at = vma.vmEnd;
  return at < end;
}

function mbindRange(machine: Machine, mm: Mm, start: Vpn, end: Vpn, policy: Mempolicy | null): number {
  let vma = mm.vmas.find(start)!;
  let prev = vma.vmStart < start ? vma : vma.vmPrev;
  for (let at = start; ; ) {
    const to = Math.min(end, vma.vmEnd) as Vpn;
    if (!mpolEqual(vma.vmPolicy, policy)) {
      const changed = vmaModifyPolicy(machine, prev, vma, at, to, policy);
      if (typeof changed === 'number') return changed;
      changed.vmPolicy = policy;
      vma = changed;
    }
    prev = vma;
    at = Math.max(to, vma.vmEnd) as Vpn;
    if (at >= end) return 0;
    vma = vma.vmNext!;
  }
}

// choosing a node

/** Does the request come for a page of a program's memory? */
export function isUserPage(gfp: Gfp): boolean {
  return (gfp & (__GFP_HIGHMEM | __GFP_MOVABLE)) === (__GFP_HIGHMEM | __GFP_MOVABLE);
}

/** A page, or 2**order, by the policy of `vma` or else of the task. `vpn` is where it will be. */
export function allocPagesByPolicy(machine: Machine, gfp: Gfp, order: number, vma: Vma | null, vpn: Vpn): Pfn {
  const task = machine.current;
  const ofVma = vma?.vmPolicy ?? null;
  const policy = ofVma ?? task.mempolicy;
  const physical = physical_3(machine);
  if (policy === null) return physical.allocPagesNodemask(gfp, order, 0, 0);
  if (policy.mode === MPOL_INTERLEAVE) {
    const node =
      ofVma !== null ? offsetIlNode(policy, vma!.vmPgoff + (vpn - vma!.vmStart)) : interleaveNodes(task, policy);
    return physical.allocPagesNodemask(gfp, order, node, 0);
  }
  if (policy.mode === MPOL_PREFERRED) {
    return physical.allocPagesNodemask(gfp, order, policy.nodes === 0 ? 0 : firstNode(policy.nodes), 0);
  }
  const bound = appliesTo(machine, gfp) ? policy.nodes : 0;
  return physical.allocPagesNodemask(gfp, order, 0, bound);
}

/** What bind binds: requests that may use the highest zone there is. */
function appliesTo(machine: Machine, gfp: Gfp): boolean {
  let highest = 0;
  for (const zone of machine.zones) if (zone.type < ZONE_MOVABLE && zone.type > highest) highest = zone.type;
  return isUserPage(gfp) || highest <= 2;
}

/** Zones to ask, from `node` on; of the nodes of the mask only, unless it is 0. */
export function zonelistOf(machine: Machine, node: number, highest: number, nodes: Nodemask): readonly Zone[] {
  const zonelist = machine.nodes[node]!.zonelists[highest]!;
  return nodes === 0 ? zonelist : zonelist.filter((zone) => ((nodes >>> zone.pgdat.nid) & 1) !== 0);
}

function interleaveNodes(task: Task, policy: Mempolicy): number {
  const nodes = nodesOf(policy.nodes);
  const node = nodes.includes(task.ilNext) ? task.ilNext : nodes[0]!;
  task.ilNext = nodes[(nodes.indexOf(node) + 1) % nodes.length]!;
  return node;
}

/** The same page of the same object is always on the same node. */
function offsetIlNode(policy: Mempolicy, offset: number): number {
  const nodes = nodesOf(policy.nodes);
  return nodes[offset % nodes.length]!;
}

function firstNode(nodes: Nodemask): number {
  return 31 - Math.clz32(nodes & -nodes);
}

export function nodesOf(nodes: Nodemask): number[] {
  const found: number[] = [];
  for (let node = 0; node < 31; node++) if (((nodes >>> node) & 1) !== 0) found.push(node);
  return found;
}

function allNodes(machine: Machine): Nodemask {
  return 2 ** machine.nodes.length - 1;
}

export function nodeOf(machine: Machine, pfn: Pfn): number {
  return machine.zones[machine.frames.zoneIndex(pfn)]!.pgdat.nid;
}

// moving what is there already

/** Pages of the range that are where the policy does not want them; of those that others map too, only with `all`. */
function misplacedPages(machine: Machine, mm: Mm, start: Vpn, end: Vpn, policy: Mempolicy | null, all: boolean): Pfn[] {
  const wrong: Pfn[] = [];
  if (policy === null || policy.nodes === 0) return wrong;
  for (let vma = mm.vmas.find(start); vma !== null && vma.vmStart < end; vma = vma.vmNext) {
    const from = Math.max(start, vma.vmStart) as Vpn;
    for (const pfn of pagesIn(machine, vma, from, Math.min(end, vma.vmEnd) as Vpn)) {
      if (((policy.nodes >>> nodeOf(machine, pfn)) & 1) !== 0) continue;
      if (all || machine.frames.mapcount(pfn) === 1) wrong.push(pfn);
    }
  }
  return wrong;
}

function* pagesIn(machine: Machine, vma: Vma, start: Vpn, end: Vpn): Generator<Pfn> {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  for (
    let at = pageTables.nextTable(root, start, end);
    at < end;
    at = pageTables.nextTable(root, (at + 1) as Vpn, end)
  ) {
    const pfn = presentPage(machine, vma.vmMm, at);
    if (pfn !== NO_PFN) yield pfn;
  }
}

function presentPage(machine: Machine, mm: Mm, vpn: Vpn): Pfn {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) return NO_PFN;
  return pageTables.pfn(slot);
}

/** Moves each page to the node that `choose` says. How many could not move. */
function movePagesTo(machine: Machine, pages: readonly Pfn[], choose: () => number): number {
  machine.lru.drain();
  const isolated: Pfn[] = [];
  for (const pfn of pages) if (isolateForMigration(machine, pfn)) isolated.push(pfn);
  let left = pages.length - isolated.length;
  const target = {
    alloc: () => physical_3(machine).allocPagesNodemask(GFP_HIGHUSER_MOVABLE, 0, 0, 1 << choose()),
    free: (pfn: Pfn) => putPage(machine, pfn),
  };
  const failed = migratePages(machine, isolated, target, MIGRATE_SYNC);
  left += failed === -ENOMEM ? isolated.length : failed;
  putbackMovablePages(machine, isolated);
  machine.lru.drain();
  return left;
}
