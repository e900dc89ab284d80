/**
 * What rules ask of a difference.
 *
 * Owns      the questions: is it about anonymous memory, did a flag appear, is it only where a region is cut.
 */
import type { Observation } from './differences.ts';

/** Calls with which entries of a process go. */
export const UNMAPS: ReadonlySet<string> = new Set(['munmap', 'exit', 'exit_group', '_exit']);

/** The call is answered otherwise: result, errno, signal. */
export function isAnswer(o: Observation): boolean {
  return o.kind === 'call' && o.field !== 'minflt' && o.field !== 'majflt';
}

/** Faults that a call takes. */
export function isFaultCount(o: Observation): boolean {
  return o.kind === 'call' && (o.field === 'minflt' || o.field === 'majflt');
}

/** A flag of a page that the older kernel shows and the newer one does not, or the other way. */
export function appears(o: Observation, ...flags: string[]): boolean {
  return o.kind === 'page' && flags.some((flag) => o.field === `flag:${flag}`) && o.older === 'set';
}
export function vanishes(o: Observation, ...flags: string[]): boolean {
  return o.kind === 'page' && flags.some((flag) => o.field === `flag:${flag}`) && o.older === 'clear';
}

/** A page of private memory, on both sides where both have one. */
export function isAnonymous(o: Observation): boolean {
  return [o.newerPage, o.olderPage].every((page) => page === null || page.flags.split('|').includes('anon'));
}

/** A page of a file, or of shared memory. */
export function isOfFile(o: Observation): boolean {
  return [o.newerPage, o.olderPage].every((page) => page === null || page.pm.includes('f'));
}

export function stateGoes(o: Observation, newer: string, older: string): boolean {
  return o.kind === 'page' && o.field === 'state' && o.newer === newer && o.older === older;
}

/** The same pages are mapped, in other pieces. */
export function isCutOtherwise(o: Observation): boolean {
  return o.kind === 'region' && o.field === 'bounds' && o.newer !== 'nothing' && o.older !== 'nothing';
}

/** The region is locked on the newer side. */
export function isLocked(o: Observation): boolean {
  return o.vma !== null && String(o.vma['VmFlags']).split(' ').includes('lo');
}

/** The region shows a file, or shared memory. */
export function isFileRegion(o: Observation): boolean {
  return o.vma !== null && /^(file:|memfd:|shm)/.test(String(o.vma['name']));
}
