/**
 * /proc/PID/smaps of many processes as columns over the VMAs of a snapshot.
 *
 * Promises  A VMA whose smaps were not read has NaN in each column; so has a field that its kernel does not print.
 * Linux     6.18 fs/proc/task_mmu.c: show_smap __show_smap show_smap_vma_flags
 */
import type { SnapshotBuilder } from '../builder.ts';
import { ascii, eachLine, NameCache } from './bytes.ts';
import { kbField } from './fields_text.ts';
import { type MapsLine, parseMapsLine } from './maps_text.ts';

const VM_FLAGS = 'VmFlags:';

export interface SmapsEntry {
  readonly line: MapsLine;
  /** In kB. */
  readonly fields: Map<string, number>;
  /** `rd wr mr`; '' where the kernel prints none. */
  vmFlags: string;
}

export function parseSmaps(bytes: Uint8Array, names = new NameCache()): SmapsEntry[] {
  const entries: SmapsEntry[] = [];
  eachLine(bytes, (start, end) => {
    // A field begins with a capital letter, an address never does.
    const isField = bytes[start]! >= 0x41 && bytes[start]! <= 0x5a;
    const line = isField ? null : parseMapsLine(bytes, start, end, names);
    if (line !== null) entries.push({ line, fields: new Map(), vmFlags: '' });
    const entry = entries.at(-1);
    if (entry === undefined || !isField) return;
    const field = kbField(bytes, start, end);
    if (field !== null) entry.fields.set(field.name, field.kb);
    else if (ascii(bytes, start, Math.min(end, start + VM_FLAGS.length)) === VM_FLAGS)
      entry.vmFlags = ascii(bytes, start + VM_FLAGS.length, end).trim();
  });
  return entries;
}

export class SmapsColumns {
  private readonly builder: SnapshotBuilder;
  private readonly rows: { readonly fields: ReadonlyMap<string, number>; readonly vmFlags: number }[] = [];

  constructor(builder: SnapshotBuilder) {
    this.builder = builder;
  }

  /** Of the VMAs from row `firstVma` on. False, and nothing is kept, if `lines` are others. */
  add(bytes: Uint8Array, firstVma: number, lines: readonly MapsLine[]): boolean {
    const entries = parseSmaps(bytes);
    const isSame =
      entries.length === lines.length && entries.every(({ line }, at) => line.startPage === lines[at]!.startPage);
    if (isSame)
      entries.forEach(({ fields, vmFlags }, at) => {
        this.rows[firstVma + at] = { fields, vmFlags: this.builder.string(vmFlags) };
      });
    return isSame;
  }

  drop(firstVma: number): void {
    this.rows.length = Math.min(this.rows.length, firstVma);
  }

  columns(): Map<string, Float64Array> {
    const columns = new Map<string, Float64Array>();
    this.rows.forEach(({ fields }, vma) => {
      for (const [name, kb] of fields) {
        let column = columns.get(name);
        if (column === undefined)
          columns.set(name, (column = new Float64Array(this.builder.vmaCount).fill(Number.NaN)));
        column[vma] = kb;
      }
    });
    return columns;
  }

  vmFlags(): Uint32Array {
    const none = this.builder.string('');
    return Uint32Array.from({ length: this.builder.vmaCount }, (_, vma) => this.rows[vma]?.vmFlags ?? none);
  }
}
