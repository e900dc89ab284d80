/**
 * Why RSS, page cache and the limit disagree: from what the processes show to what the cgroup is charged, a line at a time.
 *
 * Promises  The lines add up to the charge, to the byte. What nothing else explains is the last of them.
 */
import type { RunResult } from './result.ts';

export interface AccountLine {
  what: string;
  /** Added to what stands above; negative where it is taken away. */
  bytes: number;
  /** Whether VmRSS of some process shows it. */
  in_rss: boolean;
  why: string;
}

export function accountOf({ peak, limited_by }: Pick<RunResult, 'peak' | 'limited_by'>): AccountLine[] {
  const mapped = peak.anonymous + peak.mapped_files;
  const lines: AccountLine[] = [
    {
      what: peak.processes === 1 ? 'RSS of the process' : `RSS of ${peak.processes} processes, added up`,
      bytes: peak.rss,
      in_rss: true,
      why: 'what ps and top show',
    },
    {
      what: 'mapped by several, counted once',
      bytes: mapped - peak.rss,
      in_rss: true,
      why: 'each RSS has the whole page, the cgroup is charged once',
    },
    {
      what: 'file cache that nobody maps',
      bytes: peak.file + peak.shared_memory - peak.mapped_files,
      in_rss: false,
      why: 'read with read(2), read ahead, or no longer mapped',
    },
    { what: 'page tables', bytes: peak.page_tables, in_rss: false, why: 'one page for each 2 MiB that is in use' },
    { what: 'kernel stacks', bytes: peak.kernel_stack, in_rss: false, why: '16 KiB for each thread' },
    { what: 'slab', bytes: peak.slab, in_rss: false, why: 'VMAs, inodes, the index of the page cache' },
  ];
  const known = lines.reduce((sum, { bytes }) => sum + bytes, 0);
  const rest = peak.bytes - known;
  lines.push(restLine(rest, limited_by));
  return lines.filter(({ bytes }) => bytes !== 0);
}

function restLine(bytes: number, limitedBy: RunResult['limited_by']): AccountLine {
  const line = { bytes, in_rss: false };
  if (bytes < 0) return { ...line, what: 'not charged by this kernel', why: 'it counts user pages only' };
  if (limitedBy === 'mem=')
    return { ...line, what: "the kernel's own, and free on its lists", why: 'there is no cgroup to ask' };
  return { ...line, what: 'charged ahead', why: 'up to 63 pages for each CPU, and pages on their way' };
}

/** What the lines add up to. */
export function chargeName(limitedBy: RunResult['limited_by']): string {
  return limitedBy === 'mem=' ? 'taken since the kernel has booted' : 'charged to the cgroup';
}
