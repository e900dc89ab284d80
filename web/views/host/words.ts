/** Figures of a host as people read them. Names that programs gave are shown without what only a terminal would do with them. */
import { printable } from '../../../src/trace/error.ts';

export { printable } from '../../../src/trace/error.ts';

export function bytesText(bytes: number | null): string {
  if (bytes === null) return '–';
  const size = Math.abs(bytes) / 1024;
  const sign = bytes < 0 ? '−' : '';
  if (size < 1024) return `${sign}${Math.round(size)} KiB`;
  if (size < 1024 * 1024) return `${sign}${(size / 1024).toFixed(1)} MiB`;
  return `${sign}${(size / 1024 / 1024).toFixed(2)} GiB`;
}

export function framesText(frames: number): string {
  return bytesText(frames * 4096);
}

/** `+3.0 MiB`; a dash for no change. */
export function deltaText(before: number, after: number, show: (n: number) => string): string {
  const n = after - before;
  return n === 0 ? '–' : `${n > 0 ? '+' : '−'}${show(Math.abs(n))}`;
}

export function whenText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `revmap` may only have been refused; what is missing is said with what that means. */
const MEANS: readonly (readonly [what: RegExp, means: string])[] = [
  [/^pagemap|^frame numbers/, 'which frame a page is in: sharing cannot be told from it'],
  [/^kpage/, 'what frames are used for, how often each is mapped, and by which cgroup'],
  [/^smaps_rollup/, 'the kernel’s own figures of PSS'],
  [/^smaps$/, 'the kernel’s figures region by region'],
  [/^cachestat|^mincore|^koffi/, 'what of files is cached and mapped by nobody'],
  [/^maps/, 'the regions of so many processes'],
];

const WHY: Readonly<Record<string, string>> = {
  EACCES: 'no permission',
  EPERM: 'no permission: it needs root (CAP_SYS_ADMIN)',
  ENOENT: 'this kernel has no such file',
};

export function missingText(what: string, why: string, count: number): string {
  const means = MEANS.find(([pattern]) => pattern.test(what))?.[1];
  const reason = WHY[why] ?? printable(why);
  return `${printable(what)}${count > 1 || /^(maps|pagemap|smaps)/.test(what) ? ` of ${count}` : ''}: ${reason}${means === undefined ? '' : ` – ${means}`}`;
}
