/**
 * Fields of the form `Name:   123 kB`, as in status, smaps_rollup and smaps.
 *
 * Promises  Letter for letter the kernel's names, in its order. A field without `kB` is none (status has many such).
 * Linux     6.18 fs/proc/task_mmu.c: task_mem __show_smap; fs/proc/array.c: proc_pid_status
 */
import { ascii, decimalNumber, eachLine, nextBlank, skipBlanks } from './bytes.ts';

export function parseKbFields(bytes: Uint8Array): Map<string, number> {
  const fields = new Map<string, number>();
  eachLine(bytes, (start, end) => {
    const field = kbField(bytes, start, end);
    if (field !== null) fields.set(field.name, field.kb);
  });
  return fields;
}

interface KbField {
  readonly name: string;
  readonly kb: number;
}

export function kbField(bytes: Uint8Array, start: number, end: number): KbField | null {
  const colon = bytes.indexOf(COLON, start);
  if (colon < 0 || colon >= end || !endsInKb(bytes, start, end)) return null;
  const value = skipBlanks(bytes, colon + 1, end);
  const kb = decimalNumber(bytes, value, end);
  if (Number.isNaN(kb) || skipBlanks(bytes, nextBlank(bytes, value, end), end) !== end - 2) return null;
  return { name: ascii(bytes, start, colon), kb };
}

const COLON = 0x3a;

function endsInKb(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > 3 && bytes[end - 1] === 0x42 && bytes[end - 2] === 0x6b;
}
