/**
 * What the user chose: a page, named by where a process has it or by the frame it is in, and the other name of it.
 *
 * Owns      how the two names follow each other. A page keeps its address when its frame changes (swap, copy-on-write, another
 *           kernel); a frame keeps its number when its page changes.
 */
import { mappersOf, placeIn } from '../host/who/who.ts';
import { type Pfn, vpnOf } from '../mm/units.ts';
import { frameAt, whoMaps } from '../mm/who.ts';
import type { HostSubject, MachineSubject, Subject } from './subject.ts';

/** Addresses in bytes, of the beginning of a page. null: nobody, nowhere. */
export interface Selection {
  /** Which of the two names stays when the machine goes on. */
  readonly by: 'page' | 'frame' | 'none';
  readonly pfn: number | null;
  readonly pid: number | null;
  readonly address: number | null;
}

export const NOTHING: Selection = { by: 'none', pfn: null, pid: null, address: null };

/** The same choice with its other half as it is now. */
export function resolve(subject: Subject, selection: Selection): Selection {
  const { by, pfn, pid, address } = selection;
  if (by === 'frame' && pfn !== null) return { ...selection, ...placeOf(subject, pfn, selection) };
  if (by === 'page' && pid !== null && address !== null) return { ...selection, pfn: frameOf(subject, pid, address) };
  return selection;
}

/** Where the frame is mapped: at the place that was chosen if it is one of them, else at the first; null if nowhere. */
function placeOf(subject: Subject, pfn: number, chosen: Selection): Pick<Selection, 'pid' | 'address'> {
  const places = placesOf(subject, pfn);
  const same = places.find(({ pid, address }) => pid === chosen.pid && address === chosen.address);
  return same ?? places[0] ?? { pid: null, address: null };
}

export interface Place {
  readonly pid: number;
  readonly address: number;
}

/** Everywhere that the frame is mapped, each entry once; of processes with one address space the first. */
export function placesOf(subject: Subject, pfn: number): Place[] {
  return subject.kind === 'machine' ? placesInMachine(subject, pfn) : placesInHost(subject, pfn);
}

function placesInMachine({ machine, living }: MachineSubject, pfn: number): Place[] {
  if (pfn >= machine.frames.frames) return [];
  const pids = new Map(living.map(({ pid, mm }) => [mm.id, pid]));
  return whoMaps(machine, pfn as Pfn).mappers.flatMap(({ mm, address }) => {
    const pid = pids.get(mm);
    return pid === undefined ? [] : [{ pid, address }];
  });
}

function placesInHost({ snapshot, reverse }: HostSubject, pfn: number): Place[] {
  return mappersOf(snapshot, reverse.entriesOf(pfn));
}

function frameOf(subject: Subject, pid: number, address: number): number | null {
  if (subject.kind === 'machine') {
    const process = subject.living.find((one) => one.pid === pid);
    return process === undefined ? null : frameAt(subject.machine, process.mm, vpnOf(address));
  }
  return placeIn(subject.snapshot, pid, address)?.place.pfn ?? null;
}
