/**
 * Questions about address spaces: the tree of processes, the regions of one, its pages, and the picture of several.
 *
 * Owns      which half answers: a machine of any kernel, or a host's snapshot. The form is one (spaces_form.ts).
 */

import { type Place, placesOf, resolve, type Selection } from './selection.ts';
import type { Space, SpacePages, SpaceProcess } from './spaces_form.ts';
import { hostPages, hostProcesses, hostSpace } from './spaces_host.ts';
import { machinePages, machineProcesses, machineSpace } from './spaces_machine.ts';
import { type RibbonGroup, type RibbonQuestion, ribbonGroups } from './spaces_ribbons.ts';
import type { Subject } from './subject.ts';

/** More pages are asked for piece by piece. */
const MOST_PAGES = 65_536;

/** Everybody with memory, each child behind its parent. */
function spaceProcesses(subject: Subject): SpaceProcess[] {
  return subject.kind === 'machine' ? machineProcesses(subject) : hostProcesses(subject);
}

/** The regions of a process; null: nobody has this number now. */
function space(subject: Subject, pid: number): Space | null {
  return subject.kind === 'machine' ? machineSpace(subject, pid) : hostSpace(subject, pid);
}

/** Pages of the region that begins at `start`, from its page `from` on; null: there is no such region. */
function spacePages(subject: Subject, pid: number, start: number, from: number, count: number): SpacePages | null {
  const pages = Math.min(count, MOST_PAGES);
  return subject.kind === 'machine'
    ? machinePages(subject, pid, start, from, pages)
    : hostPages(subject, pid, start, from, pages);
}

/** The picture of several address spaces. */
function spaceRibbons(subject: Subject, question: RibbonQuestion): RibbonGroup[] {
  return ribbonGroups(subject, question);
}

/** What is chosen, as it is here, and everywhere that its frame is mapped. */
function spaceChosen(subject: Subject, selection: Selection): Selection & { readonly places: readonly Place[] } {
  const here = resolve(subject, selection);
  return { ...here, places: here.pfn === null ? [] : placesOf(subject, here.pfn) };
}

export const spacesQueries = { spaceProcesses, space, spacePages, spaceRibbons, spaceChosen } as const;
