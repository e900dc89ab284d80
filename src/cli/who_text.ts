/**
 * The answers of `revmap who` about a host, for people.
 *
 * Promises  Lines fit into `width` columns where names allow it; every name of the host passes printable().
 */

import type { Identity } from '../host/who/identity.ts';
import type { FrameAnswer, Mapper, PlaceAnswer, SlotAnswer, WhoAnswer } from '../host/who/who.ts';
import type { FileAnswer, FileRange } from '../host/who/who_file.ts';
import type { SharedAnswer, SharedBy, SharedWith } from '../host/who/who_shared.ts';
import { printable } from '../trace/error.ts';
import { grouped, plural, wrapped } from './output.ts';
import { pc } from './terminal.ts';

const PAGE_KB = 4;
/** From here on a region is shown with its end. */
const WIDE = 110;

const hex = (n: number) => `0x${n.toString(16)}`;

export function describePage({ place, frame, slot, tries, moved, changed, missing }: WhoAnswer, width: number): string {
  const lines = place === null ? [] : placeLines(place, width);
  if (frame !== null) lines.push(...frameLines(frame, width));
  else if (slot !== null) lines.push(...slotLines(slot, width));
  else if (place === null)
    lines.push('nobody maps this page of the file (without an entry, the kernel shows no frame for it)');
  if (moved > 0)
    lines.push(`${plural(moved, 'entry', 'entries')} came, went or changed while we looked; this is the end of it`);
  if (tries > 1) lines.push(`looked ${tries} times: something had changed meanwhile`);
  if (changed.length > 0) lines.push(wrapped(`${pc.yellow('changed')} while we looked: ${changed.join(', ')}`, width));
  if (missing.length > 0) {
    const what = missing.map(({ what, why, count }) => `${what} ${count > 1 ? `of ${count} ` : ''}(${why})`);
    lines.push(wrapped(`not seen: ${what.join(', ')}`, width));
  }
  return lines.join('\n');
}

function placeLines({ pid, comm, address, region, says }: PlaceAnswer, width: number): string[] {
  const where = `${pc.bold(hex(address))} of ${printable(comm)} (${pid})`;
  if (region === null) return [`${where}: ${says}`];
  const name = region.name === '' ? 'anonymous' : printable(region.name);
  return [
    where,
    labelled('region', `${hex(region.start)}-${hex(region.end)} ${region.perms} ${name}`, width),
    labelled('there', says, width),
  ];
}

const LABEL = 10;

function labelled(label: string, text: string, width: number): string {
  return wrapped(text, width, ' '.repeat(LABEL + 2)).replace(' '.repeat(LABEL + 2), `  ${label.padEnd(LABEL)}`);
}

function frameLines(frame: FrameAnswer, width: number): string[] {
  const { pfn, zone, folio, identity, reclaim, list, cgroup, flags } = frame;
  const of = folio === null ? '' : `, of a folio of ${plural(folio.pages, 'page')} from ${hex(folio.first)} on`;
  const lines = [`${pc.bold(`frame ${hex(pfn)}`)} (${pfn})${zone === null ? '' : `, zone ${zone}`}${of}`];
  const add = (label: string, text: string) => lines.push(labelled(label, text, width));
  if (identity !== null) add('page', identityText(identity));
  if (reclaim !== null) add('reclaim', `${reclaim.kind}: ${reclaim.reason}`);
  add('list', `${list ?? 'unknown'}; cgroup ${cgroup === null ? 'none' : printable(cgroup)}`);
  if (flags === null) add('flags', '/proc/kpageflags may not be read');
  const wide = Math.max(0, ...(flags ?? []).map(({ name }) => name.length));
  (flags ?? []).forEach(({ name, says }, i) => {
    lines.push(`  ${(i === 0 ? 'flags' : '').padEnd(LABEL)}${name.padEnd(wide)}  ${pc.dim(says)}`);
  });
  add('mapped', countText(frame));
  for (const { says, count } of frame.why) add('', count === null ? says : `${grouped(count)}: ${says}`);
  return [...lines, ...mapperLines(frame.mappers, width)];
}

function identityText({ what, path, device, inode, offset }: Identity): string {
  if (path === null) return what;
  return `${what}: ${printable(path)}, offset ${hex(offset!)} (device ${device}, inode ${inode})`;
}

function countText({ found, mapcount, agrees }: FrameAnswer): string {
  const entries = `${plural(found, 'entry', 'entries')} found`;
  if (mapcount === null) return `${entries}; the kernel's count is not shown`;
  return agrees === true
    ? `${entries}, as many as the kernel counts`
    : `${entries}, and the kernel counts ${grouped(mapcount)}`;
}

function slotLines({ area, path, offset, holders }: SlotAnswer, width: number): string[] {
  const where = path === null ? `number ${area}` : `number ${area}, ${printable(path)}`;
  return [
    `${pc.bold(`slot ${grouped(offset)}`)} of the swap area ${where}`,
    labelled(
      'held',
      `by ${plural(holders.length, 'entry', 'entries')}; a read brings the page back for each on its own`,
      width,
    ),
    ...mapperLines(holders, width),
  ];
}

function mapperLines(mappers: readonly Mapper[], width: number): string[] {
  if (mappers.length === 0) return [];
  const isWide = width >= WIDE;
  const rows = mappers.map((mapper) => [
    String(mapper.pid),
    printable(mapper.comm),
    hex(mapper.address),
    isWide ? `${hex(mapper.start)}-${hex(mapper.end)}` : hex(mapper.start),
    mapper.perms,
    `${mapper.name === '' ? 'anonymous' : printable(mapper.name)}${mapper.sameMmAs === null ? '' : ` (address space of ${mapper.sameMmAs})`}`,
  ]);
  return columns(['pid', 'process', 'address', 'region', '', 'name'], rows, width, [0]);
}

/** Plain columns; those of `right` are numbers. The last is cut from the left where it does not fit. */
function columns(head: string[], rows: string[][], width: number, right: readonly number[]): string[] {
  const wide = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  const last = head.length - 1;
  const line = (cells: string[]): string => {
    const before = cells
      .slice(0, last)
      .map((cell, i) => (right.includes(i) ? cell.padStart(wide[i]!) : cell.padEnd(wide[i]!)));
    const front = `  ${before.join('  ')}  `;
    const room = Math.max(12, width - front.length);
    const name = cells[last]!;
    return `${front}${name.length > room ? `…${name.slice(name.length - room + 1)}` : name}`.trimEnd();
  };
  return [pc.dim(line(head)), ...rows.map(line)];
}

// files

const SHOWN_RANGES = 40;

export function describeFile(answer: FileAnswer, width: number): string {
  const { file, ranges, mappedPages, cached, processes, copies } = answer;
  const lines = [
    `${pc.bold(printable(file.path))}${file.deleted ? ' (deleted)' : ''}, device ${file.device}, inode ${file.inode}`,
    labelled('mapped', mappedText(mappedPages, processes), width),
  ];
  if (cached !== null) {
    const rest = Math.max(0, cached.pages - mappedPages);
    const text = mappedPages === 0 ? '' : `; ${pagesText(rest)} of them nobody maps`;
    lines.push(labelled('cached', `${pagesText(cached.pages)}${text}`, width));
  }
  const copied = copies.reduce((sum, { pages }) => sum + pages, 0);
  if (copied > 0) {
    const who = `${plural(copies.length, 'process', 'processes')} wrote into ${copies.length === 1 ? 'its' : 'their'} private mappings`;
    lines.push(labelled('copies', `${pagesText(copied)} that are no pages of the file: ${who}`, width));
  }
  for (const range of ranges.slice(0, SHOWN_RANGES)) lines.push(...rangeLines(range, width));
  if (ranges.length > SHOWN_RANGES)
    lines.push(`and ${plural(ranges.length - SHOWN_RANGES, 'more range')}: --json has all`);
  return lines.join('\n');
}

function mappedText(pages: number, processes: number): string {
  if (processes === 0) return 'by nobody';
  return `${pagesText(pages)}, in regions of ${plural(processes, 'process', 'processes')}`;
}

function pagesText(pages: number): string {
  return `${plural(pages, 'page')} (${grouped(pages * PAGE_KB)} kB)`;
}

function rangeLines({ offset, pages, frames, mappers }: FileRange, width: number): string[] {
  const at = frames[0] === undefined ? '' : `, frame ${hex(frames[0][0])}${frames.length > 1 ? ' …' : ''}`;
  const head = `${pc.bold(hex(offset))}  ${pagesText(pages)}, mapped by ${mappers.length}${at}`;
  const who = mappers.map(({ pid, comm, address }) => `${printable(comm)} (${pid}) ${hex(address)}`);
  const shown = who.length > MOST_NAMES ? [...who.slice(0, MOST_NAMES), `${who.length - MOST_NAMES} more`] : who;
  return [head, wrapped(shown.join(', '), width, '    ')];
}

const MOST_NAMES = 12;

// shared with

const SHOWN_OTHERS = 30;
const SHOWN_REGIONS = 3;
const KINDS: readonly SharedBy[] = ['fork', 'file', 'shared memory', 'ksm'];

export function describeShared(answer: SharedAnswer, width: number): string {
  const { pid, comm, mappedBytes, privateBytes, sharedBytes, hiddenPages, sameAddressSpace } = answer;
  const lines = [
    `${pc.bold(`${printable(comm)} (${pid})`)} maps ${kb(mappedBytes)}: ${kb(privateBytes)} alone, ${kb(sharedBytes)} with others`,
  ];
  if (hiddenPages > 0) {
    lines.push(
      `${plural(hiddenPages, 'page')} of it cannot be told: the kernel hides frame numbers without CAP_SYS_ADMIN`,
    );
  }
  if (sameAddressSpace.length > 0) {
    const who = sameAddressSpace.map((each) => `${printable(each.comm)} (${each.pid})`).join(', ');
    lines.push(wrapped(`the whole address space is also that of ${who}`, width));
  }
  for (const other of answer.with.slice(0, SHOWN_OTHERS)) lines.push(...otherLines(other, width));
  const rest = answer.with.length - SHOWN_OTHERS;
  if (rest > 0) lines.push(`and with ${plural(rest, 'more process', 'more processes')}: --json has all`);
  return lines.join('\n');
}

function otherLines({ pid, comm, bytes, by, regions }: SharedWith, width: number): string[] {
  const kinds = KINDS.filter((kind) => by[kind] > 0).map((kind) => `${kb(by[kind])} by ${kind}`);
  const lines = [`${kb(bytes).padStart(12)}  ${pc.bold(printable(comm))} (${pid}): ${kinds.join(', ')}`];
  const rows = regions
    .slice(0, SHOWN_REGIONS)
    .map((region) => [
      kb(region.bytes),
      hex(region.start),
      region.perms,
      region.name === '' ? 'anonymous' : printable(region.name),
    ]);
  const [, ...told] = columns(['', '', '', ''], rows, width - 12, [0]);
  lines.push(...told.map((line) => `${' '.repeat(12)}${line}`));
  if (regions.length > SHOWN_REGIONS)
    lines.push(`${' '.repeat(14)}and ${plural(regions.length - SHOWN_REGIONS, 'more region')}`);
  return lines;
}

function kb(bytes: number): string {
  return `${grouped(bytes / 1024)} kB`;
}
