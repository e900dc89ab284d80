/** A system call and its result in words, for a list of differences. */
import { errnoName } from '../mm/errno.ts';
import { printable } from '../trace/error.ts';
import * as nr from '../trace/x86_64.ts';

const ADDRESSES: ReadonlySet<number> = new Set([nr.SYS_mmap, nr.SYS_mremap, nr.SYS_brk]);

export function describeResult(number: number, result: number): string {
  if (result < 0) return errnoName(result);
  return ADDRESSES.has(number) ? `0x${result.toString(16)}` : String(result);
}

export function describeCall(number: number, call: Float64Array, path: string): string {
  if (path !== '') return `${nr.syscallName(number)}("${printable(path)}")`;
  const hex = (n: number) => (n < 4096 ? String(n) : `0x${n.toString(16)}`);
  return `${nr.syscallName(number)}(${[...call.subarray(1, 7)].map(hex).join(', ')})`;
}
