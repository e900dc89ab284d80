/**
 * What is chosen, in a few words: the frame, and the place of a process. It stands beside every view.
 */
import { placeIn, whoMapsFrame } from '../host/who/who.ts';
import { NO_SLOT, PTE_DIRTY, PTE_FILE, PTE_RW, PTE_YOUNG } from '../mm/page_table.ts';
import { flagWords } from '../mm/struct_page_flags.ts';
import { addrOf, type Pfn, swpOffset, swpType, type Vpn, vpnOf } from '../mm/units.ts';
import type { Vma } from '../mm/vma.ts';
import { whoMaps } from '../mm/who.ts';
import { permsText, vmaName } from '../proc/maps.ts';
import type { Selection } from './selection.ts';
import type { HostSubject, MachineSubject, Subject } from './subject.ts';

export interface ChosenFrame {
  readonly pfn: number;
  readonly zone: string | null;
  /** Null where /proc/kpageflags was not read. */
  readonly flags: readonly string[] | null;
  /** Null of a host: the kernel shows it to nobody. */
  readonly refcount: number | null;
  readonly mapcount: number | null;
  readonly list: string | null;
  readonly kind: string | null;
  readonly reason: string | null;
  /** What the page belongs to: a file and its page, an anon_vma and its index. */
  readonly owner: string | null;
}

export interface ChosenPlace {
  readonly pid: number;
  readonly comm: string;
  /** Of the region, in bytes; null: the address is in none, or there is no address. */
  readonly region: {
    readonly start: number;
    readonly end: number;
    readonly perms: string;
    readonly name: string;
  } | null;
  /** What stands in the page table, in words. */
  readonly entry: string | null;
}

export interface Chosen {
  /** What was asked for; null: nothing. */
  readonly pfn: number | null;
  readonly pid: number | null;
  /** null: there is none at this step, or none was asked for. */
  readonly frame: ChosenFrame | null;
  readonly place: ChosenPlace | null;
}

export function chosen(subject: Subject, { pfn, pid, address }: Selection): Chosen {
  const isMachine = subject.kind === 'machine';
  return {
    pfn,
    pid,
    frame: pfn === null ? null : isMachine ? frameOfMachine(subject, pfn) : frameOfHost(subject, pfn),
    place: pid === null ? null : isMachine ? placeOfMachine(subject, pid, address) : placeOfHost(subject, pid, address),
  };
}

function frameOfMachine({ machine }: MachineSubject, pfn: number): ChosenFrame | null {
  if (pfn >= machine.frames.frames) return null;
  const { zone, refcount, mapcount, lru, reclaim, mapping, index } = whoMaps(machine, pfn as Pfn);
  const owner =
    mapping.kind === 'inode'
      ? `page ${index} of ${mapping.name}`
      : mapping.kind === 'none'
        ? null
        : `${mapping.kind} ${mapping.id}${index === null ? '' : `, index 0x${index.toString(16)}`}`;
  const { kind, reason } = reclaim;
  const flags = flagWords(machine, pfn as Pfn);
  return { pfn, zone, flags, refcount, mapcount, list: lru === 'none' ? null : lru, kind, reason, owner };
}

function placeOfMachine({ machine, living }: MachineSubject, pid: number, address: number | null): ChosenPlace | null {
  const process = living.find((one) => one.pid === pid);
  if (process === undefined) return null;
  const { comm, mm } = process;
  if (address === null) return { pid, comm, region: null, entry: null };
  const vpn = vpnOf(address);
  const vma: Vma | null = mm.vmas.findExact(vpn);
  if (vma === null) return { pid, comm, region: null, entry: 'nothing is mapped there' };
  const region = {
    start: addrOf(vma.vmStart),
    end: addrOf(vma.vmEnd),
    perms: permsText(vma.vmFlags),
    name: vmaName(machine, vma),
  };
  return { pid, comm, region, entry: entryOfMachine(machine, vma, vpn) };
}

function entryOfMachine({ pageTables }: MachineSubject['machine'], vma: Vma, vpn: Vpn): string {
  const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  if (slot === NO_SLOT || pageTables.isNone(slot)) return 'empty: not used yet';
  if (pageTables.isPresent(slot)) {
    const is = (bit: number, yes: string, no: string): string => (pageTables.has(slot, bit) ? yes : no);
    return `present, ${is(PTE_RW, 'writable', 'read-only')}, ${is(PTE_YOUNG, 'young', 'old')}, ${is(PTE_DIRTY, 'dirty', 'clean')}`;
  }
  if (pageTables.isSwap(slot)) {
    const entry = pageTables.swapEntry(slot);
    return `swapped out: area ${swpType(entry)}, slot ${swpOffset(entry)}`;
  }
  if (pageTables.has(slot, PTE_FILE)) return `nonlinear: page ${pageTables.filePgoff(slot)} of the file`;
  return 'a guard: whoever touches it gets a signal';
}

function frameOfHost({ snapshot, reverse }: HostSubject, pfn: number): ChosenFrame | null {
  const answer = whoMapsFrame(snapshot, reverse, pfn);
  if (answer === null) return null;
  const { zone, flags, mapcount, list, reclaim, identity } = answer;
  return {
    pfn,
    zone,
    flags: flags?.map(({ name }) => name) ?? null,
    refcount: null,
    mapcount,
    list,
    kind: reclaim?.kind ?? null,
    reason: reclaim?.reason ?? null,
    owner:
      identity === null
        ? null
        : identity.path === null
          ? identity.what
          : `page ${(identity.offset ?? 0) / 4096} of ${identity.path}`,
  };
}

function placeOfHost({ snapshot }: HostSubject, pid: number, address: number | null): ChosenPlace | null {
  const found = placeIn(snapshot, pid, address ?? 0);
  if (found === null) return null;
  const { comm, region, says } = found.place;
  return address === null ? { pid, comm, region: null, entry: null } : { pid, comm, region, entry: says };
}
