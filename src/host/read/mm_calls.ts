/**
 * Two questions to the kernel that no file answers, through koffi: which parts of an address space have entries at all
 * (PAGEMAP_SCAN), and whether two processes have one address space (kcmp).
 *
 * Owns      these two prototypes, and loading koffi for them: 50 ms, so only when somebody has such a question.
 * Promises  1. koffi is optional: without it, or on a machine whose numbers are not known here, there is null, and callers
 *              have a slower way.
 *           2. Both calls only ask. PAGEMAP_SCAN has an operation that protects pages; it is never asked for.
 * Linux     6.7 fs/proc/task_mmu.c: do_pagemap_scan; kernel/kcmp.c: kcmp
 */
import { createRequire } from 'node:module';
import { endianness } from 'node:os';

/** The number of kcmp(2). */
const NR_KCMP: Readonly<Record<string, number>> = { x64: 312, arm64: 272, riscv64: 272, loong64: 272 };
const KCMP_VM = 1;
const KCMP_LESS = 1;
const KCMP_MORE = 2;

/** _IOWR('f', 16, struct pm_scan_arg). */
const PAGEMAP_SCAN = 0xc060_6610;
const PAGE_IS_PRESENT = 1n << 3n;
const PAGE_IS_SWAPPED = 1n << 4n;
/** Words of struct pm_scan_arg. */
const SIZE = 0;
const START = 2;
const END = 3;
const WALK_END = 4;
const VEC = 5;
const VEC_LEN = 6;
const ANYOF_MASK = 10;
const ARG_WORDS = 12;
/** A region is start, end, categories. */
const REGION_WORDS = 3;
const REGIONS = 1024;
const PAGE = 4096n;

/** [first page, page behind the last]. */
export type PageRange = readonly [number, number];

type Koffi = typeof import('koffi').default;

export class MmCalls {
  private readonly ioctl: (fd: number, request: number, arg: BigUint64Array) => number;
  private readonly syscall: (number: number, a: number, b: number, type: number, c: number, d: number) => number;
  private readonly kcmp: number;
  private readonly regions = new BigUint64Array(REGIONS * REGION_WORDS);
  private readonly arg = new BigUint64Array(ARG_WORDS);

  constructor(koffi: Koffi, kcmp: number) {
    const c = koffi.load(null);
    this.ioctl = c.func('int ioctl(int fd, unsigned long request, void *arg)');
    this.syscall = c.func('long syscall(long number, long a, long b, long type, long c, long d)');
    this.kcmp = kcmp;
    this.arg[SIZE] = BigInt(this.arg.byteLength);
    this.arg[VEC] = koffi.address(this.regions);
    this.arg[VEC_LEN] = BigInt(REGIONS);
    this.arg[ANYOF_MASK] = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
  }

  /** Where in these pages entries are present or swapped. Null before 6.7, and where the file is no pagemap of the kernel's. */
  populated(pagemapFd: number, startPage: number, endPage: number): PageRange[] | null {
    const ranges: PageRange[] = [];
    const end = BigInt(endPage) * PAGE;
    const { arg, regions } = this;
    for (let start = BigInt(startPage) * PAGE; start < end; ) {
      arg[START] = start;
      arg[END] = end;
      const count = this.ioctl(pagemapFd, PAGEMAP_SCAN, arg);
      if (count < 0) return null;
      for (let at = 0; at < count * REGION_WORDS; at += REGION_WORDS)
        ranges.push([Number(regions[at]! / PAGE), Number(regions[at + 1]! / PAGE)]);
      // Beyond 512 regions, walk_end may be that of an earlier part, where the kernel emptied its own buffer: all before
      // the last region has been told, and who asks again from there is told it twice.
      const told = count === 0 ? start : regions[(count - 1) * REGION_WORDS + 1]!;
      const next = arg[WALK_END]! > told ? arg[WALK_END]! : told;
      if (next <= start) return null;
      start = next;
    }
    return ranges;
  }

  /**
   * The order of two address spaces, which is some order: 0 is one and the same, less than 0 before, more behind.
   * Null if the kernel does not say: not built in, or one of them is gone, or not ours to ask about.
   */
  compareMm(pid: number, other: number): number | null {
    const answer = this.syscall(this.kcmp, pid, other, KCMP_VM, 0, 0);
    return answer === 0 ? 0 : answer === KCMP_LESS ? -1 : answer === KCMP_MORE ? 1 : null;
  }
}

let loaded: MmCalls | null | undefined;

/** Null without koffi. */
export function mmCalls(): MmCalls | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): MmCalls | null {
  const kcmp = NR_KCMP[process.arch];
  if (process.platform !== 'linux' || kcmp === undefined || endianness() !== 'LE') return null;
  try {
    return new MmCalls(createRequire(import.meta.url)('koffi') as Koffi, kcmp);
  } catch {
    return null;
  }
}
