/**
 * /proc/PID/status: `Name:\tvalue` lines, of which a few are wanted.
 *
 * Promises  A field that is not there (older kernels, kernel threads) is not there: numbers are null, `fields` has no row.
 * Linux     6.18 fs/proc/array.c: proc_pid_status task_state; fs/proc/task_mmu.c: task_mem
 */

import { decodeName } from '../text.ts';
import { parseKbFields } from './fields_text.ts';

export interface StatusText {
  /** The real user. */
  readonly uid: number | null;
  readonly threads: number | null;
  /** Those in kB: VmRSS, VmSwap, RssAnon … */
  readonly fields: ReadonlyMap<string, number>;
}

export function parseStatus(bytes: Uint8Array): StatusText {
  const text = decodeName(bytes);
  return { uid: numberOf(text, 'Uid'), threads: numberOf(text, 'Threads'), fields: parseKbFields(bytes) };
}

/** The name stands first and its newlines are escaped, so no name can pretend to be a field. */
function numberOf(text: string, name: string): number | null {
  const found = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text);
  return found === null ? null : Number(found[1]);
}
