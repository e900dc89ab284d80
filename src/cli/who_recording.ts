/** `revmap who RECORDING --page …`: who maps a page of a simulated machine, with the whole way from the frame to each entry. */
import { type Command, InvalidArgumentError } from 'commander';
import { findPage, type PageQuestion, parsePage, whoOfRecording } from '../lab/page.ts';
import type { Replay } from '../lab/replay.ts';
import { InputError } from '../mm/bug.ts';
import type { WhoMaps, WhoVma } from '../mm/who.ts';
import { addMachineAt, type MachineAtFlags, machineAt } from './machine_at.ts';
import { grouped, plural, print, printJson } from './output.ts';
import { pc } from './terminal.ts';

export interface RecordingFlags extends MachineAtFlags {
  page?: PageQuestion;
  pid?: number;
  json?: boolean;
}

export function addRecordingOptions(command: Command): void {
  command.option('--page <page>', 'of a recording: ADDRESS, pfn:N, or PATH:OFFSET', (text) => {
    const page = parsePage(text);
    if (page === null) throw new InvalidArgumentError('An address (0x4002d62000), pfn:1234, or PATH:OFFSET.');
    return page;
  });
  addMachineAt(command);
}

export async function askRecording(file: string, page: PageQuestion, flags: RecordingFlags): Promise<void> {
  const replay = await machineAt(file, flags);
  const pfn = findPage(replay, page, flags.pid ?? 0);
  if (typeof pfn === 'string')
    throw new InputError('--page', 0, `${pfn} (after ${plural(replay.events, 'page event')})`);
  const who = whoOfRecording(replay, pfn);
  if (flags.json === true) printJson({ at: replay.events, ...who });
  else print(describeWho(replay, who));
}

const hex = (n: number) => `0x${n.toString(16)}`;

export function describeWho(replay: Replay, who: WhoMaps): string {
  const lines = [
    `${pc.bold(`frame ${hex(who.pfn)}`)} in zone ${who.zone}, after ${plural(replay.events, 'page event')}`,
    `  flags      ${who.flags.join(' ') || 'none'}; list ${who.lru}${cgroupText(replay, who)}`,
    `  counts     refcount ${who.refcount}, mapcount ${who.mapcount} (_mapcount ${who.mapcount - 1})`,
    `  reclaim    ${who.reclaim.kind}: ${who.reclaim.reason}`,
    `  mapping    ${mappingText(who)}`,
    `  index      ${indexText(who)}`,
  ];
  if (who.structPage !== undefined) lines.push(`  its page   ${who.structPage}`);
  if (who.parents.length > 0) lines.push(`  above it   anon_vma ${who.parents.join(', then ')}`);
  lines.push(`${pc.bold(plural(who.mappers.length, 'page-table entry maps', 'page-table entries map'))} it`);
  for (const vma of who.mappers) lines.push(...vmaText(vma));
  if (who.inVain.length > 0) {
    lines.push(`${plural(who.inVain.length, 'region')} that the walk meets in vain`);
    for (const vma of who.inVain) lines.push(...vmaText(vma));
  }
  if (who.searched !== undefined) {
    const { mms, vmas, ptes } = who.searched;
    lines.push(
      `looked through for it: ${plural(mms, 'address space')}, ${plural(vmas, 'region')}, ` +
        plural(ptes, 'page-table entry', 'page-table entries'),
    );
  }
  return lines.join('\n');
}

function cgroupText({ machine }: Replay, { memcg }: WhoMaps): string {
  return machine.generation.cgroups ? `; cgroup ${memcg || 'none'}` : '';
}

function indexText({ index, mapping }: WhoMaps): string {
  if (index === null) return 'of an anonymous page it says nothing';
  return `${hex(index)}${mapping.kind === 'inode' ? `: byte ${grouped(index * 4096)} of the file` : ''}`;
}

function mappingText({ mapping, object, mappers, searched }: WhoMaps): string {
  if (mapping.kind === 'none' && mappers.length > 0)
    return 'NULL: its entries are found by a walk of all address spaces';
  if (mapping.kind === 'none') return `${hex(mapping.word)}: nobody`;
  // 2.4 has no tag: what has a mapping is a file's or swap's.
  const tag =
    searched !== undefined
      ? hex(mapping.word)
      : `${hex(mapping.word)}, PAGE_MAPPING_ANON ${mapping.anonBit === 1 ? 'set' : 'clear'}`;
  return mapping.kind === 'anon_vma'
    ? `${tag} → anon_vma ${mapping.id}, ${object ?? 'its links by address'}`
    : `${tag} → inode '${mapping.name}', ${object ?? 'its i_mmap tree'}`;
}

function vmaText(vma: WhoVma): string[] {
  const lines = [
    `  ├ ${vma.comm} (${vma.pid})  vma ${hex(vma.start)}-${hex(vma.end)}  vm_pgoff ${hex(vma.vmPgoff)}` +
      `${vma.anonVma === null ? '' : `  anon_vma ${vma.anonVma}`}${vma.chainLength === 0 ? '' : `  ${plural(vma.chainLength, 'link')}`}`,
    ...(vma.place === undefined ? [] : [`  │   ${vma.place}`]),
    `  │   address = ${vma.formula}`,
  ];
  if (vma.pte === null) return [...lines, `  └   ${vma.why}`];
  const bits = [
    vma.pte.writable ? 'writable' : 'read-only',
    vma.pte.young ? 'young' : 'old',
    vma.pte.dirty ? 'dirty' : 'clean',
  ];
  return [...lines, `  └   pte → frame ${hex(vma.pte.pfn)}, ${bits.join(', ')}`];
}
