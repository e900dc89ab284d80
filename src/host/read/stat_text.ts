/**
 * /proc/PID/stat: `12 (name) S 1 …`, where the name may hold blanks, parentheses and newlines.
 *
 * Promises  The name ends at the last `)`: no field behind it can hold one.
 * Linux     6.18 fs/proc/array.c: do_task_stat
 */
import { decodeName } from '../text.ts';

export interface StatText {
  readonly comm: string;
  readonly state: string;
  readonly parentPid: number;
  /** PF_ bits. */
  readonly flags: number;
  readonly threads: number;
  readonly startTicks: number;
}

/** The kernel's own: it has no address space. */
export const PF_KTHREAD = 0x0020_0000;

/** Null if the text is none, as when it was cut short. */
export function parseStat(bytes: Uint8Array): StatText | null {
  const open = bytes.indexOf(0x28);
  const close = bytes.lastIndexOf(0x29);
  if (open < 0 || close < open) return null;
  const rest = decodeName(bytes.subarray(close + 1))
    .trim()
    .split(' ');
  // proc_pid_stat(5) counts from 1: the state is field 3.
  const number = (field: number) => Number(rest[field - 3] ?? Number.NaN);
  const stat = {
    comm: decodeName(bytes.subarray(open + 1, close)),
    state: rest[0]!,
    parentPid: number(4),
    flags: number(9),
    threads: number(20),
    startTicks: number(22),
  };
  const isWhole = [stat.parentPid, stat.flags, stat.threads, stat.startTicks].every(Number.isFinite);
  return isWhole && stat.state.length === 1 ? stat : null;
}
