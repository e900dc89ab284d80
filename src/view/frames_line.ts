/**
 * One frame in a line: what the pointer or the cursor is at.
 *
 * Promises  It agrees with the colourings: the same kinds, the same owners.
 */
import { processOfVma, vmaOfEntry } from '../host/reverse.ts';
import type { Pfn } from '../mm/units.ts';
import { whoMaps } from '../mm/who.ts';
import { kindOfHostFrame } from './frames_host.ts';
import { VIEW_KINDS } from './frames_legend.ts';
import { kindOfFrame } from './frames_machine.ts';
import type { HostSubject, MachineSubject, Subject } from './subject.ts';

export interface FrameLine {
  readonly pfn: number;
  /** `anonymous, process 2`. */
  readonly text: string;
}

/** Null: there is no such frame. */
export function frameLine(subject: Subject, pfn: number): FrameLine | null {
  const found = subject.kind === 'machine' ? ofMachine(subject, pfn) : ofHost(subject, pfn);
  if (found === null) return null;
  const { name } = VIEW_KINDS[found.kind]!;
  return { pfn, text: found.pids.length === 0 ? name : `${name}, ${processesText(found.pids)}` };
}

interface Found {
  readonly kind: number;
  /** Of who maps it, each once. Null stands for an address space that no living process has. */
  readonly pids: readonly (number | null)[];
}

function ofMachine({ machine, living }: MachineSubject, pfn: number): Found | null {
  const { frames } = machine;
  if (pfn < 0 || pfn >= frames.frames) return null;
  const kind = kindOfFrame(machine, pfn as Pfn);
  if (frames.mapcount(pfn as Pfn) === 0) return { kind, pids: [] };
  const pids = new Map<number, number>();
  for (const { pid, mm } of living) if (!pids.has(mm.id)) pids.set(mm.id, pid);
  const { mappers } = whoMaps(machine, pfn as Pfn);
  return { kind, pids: [...new Set(mappers.map(({ mm }) => pids.get(mm) ?? null))] };
}

function ofHost({ snapshot, kinds, reverse }: HostSubject, pfn: number): Found | null {
  if (kinds === null || pfn < 0 || pfn >= kinds.frames.count) return null;
  const rows = [...reverse.entriesOf(pfn)];
  const pids = rows.map((row) => snapshot.processes[processOfVma(snapshot, vmaOfEntry(snapshot, row))]!.pid);
  return { kind: kindOfHostFrame(kinds, pfn), pids: [...new Set(pids)] };
}

const SHOWN = 4;

function processesText(pids: readonly (number | null)[]): string {
  const shown = pids.slice(0, SHOWN).map((pid) => pid ?? 'gone');
  const more = pids.length > SHOWN ? ` and ${pids.length - SHOWN} more` : '';
  return `process${pids.length === 1 ? '' : 'es'} ${shown.join(', ')}${more}`;
}
