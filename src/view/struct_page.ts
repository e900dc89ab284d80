/**
 * One frame's struct page, with the fields that its kernel has; of a host, what /proc shows instead.
 *
 * Owns      the form of the answer, and which generation has which layout.
 * Promises  1. Fields stand in the order of the struct; offsets and sizes are those of x86.
 *           2. Only looks.
 */

import type { ShownBit } from '../mm/struct_page_flags.ts';
import type { Pfn } from '../mm/units.ts';
import { structPage_2_4 } from './struct_page_2_4.ts';
import { structPageOfHost } from './struct_page_host.ts';
import { LAYOUT_2_5, LAYOUT_2_6, LAYOUT_3, LAYOUT_6_1, LAYOUT_6_18, type Layout } from './struct_page_layouts.ts';
import type { FieldValue } from './struct_page_values.ts';
import type { Subject } from './subject.ts';

export interface StructField extends FieldValue {
  readonly name: string;
  readonly type: string;
  /** In bytes; null: the file does not say. */
  readonly offset: number | null;
  readonly size: number;
  /** What the field is for, in a sentence. */
  readonly says: string;
  readonly bits?: readonly ShownBit[];
}

export interface StructPageAnswer {
  readonly pfn: number;
  readonly kernel: string;
  /** Null of a host: its bytes are not shown. */
  readonly arch: string | null;
  readonly bytes: number | null;
  readonly note: string;
  readonly fields: readonly StructField[];
}

const LAYOUTS: ReadonlyMap<string, Layout> = new Map([
  ['2.5.59', LAYOUT_2_5],
  ['2.6.24', LAYOUT_2_6],
  ['2.6.26', LAYOUT_2_6],
  ['3.16', LAYOUT_3],
  ['6.1', LAYOUT_6_1],
]);

/** Null: there is no such frame, or the host does not show it. */
export function structPage(subject: Subject, pfn: number): StructPageAnswer | null {
  if (subject.kind === 'host') {
    const { snapshot, kinds } = subject;
    if (kinds === null || pfn < 0 || pfn >= kinds.frames.count) return null;
    const found = structPageOfHost(subject, pfn);
    return found === null ? null : { pfn, kernel: snapshot.kernel, ...found };
  }
  const { machine } = subject;
  if (pfn < 0 || pfn >= machine.frames.frames) return null;
  const { version, family } = machine.generation;
  if (family === 'linux-2.4') return { pfn, kernel: version, ...structPage_2_4(machine, pfn as Pfn) };
  const { arch, bytes, note, fields } = LAYOUTS.get(version) ?? LAYOUT_6_18;
  return {
    pfn,
    kernel: version,
    arch,
    bytes,
    note,
    fields: fields.map(({ decode, ...place }) => ({ ...place, ...decode(machine, pfn as Pfn) })),
  };
}
