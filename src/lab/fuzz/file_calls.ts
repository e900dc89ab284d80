/**
 * Calls on files, processes and swap that make sense where a process stands: each gives a line, or null where nothing fits.
 *
 * Promises  1. Nearly all of them succeed.
 *           2. A write to a file on disk is no longer than a page: longer ones make large folios, which recordings need not agree in.
 */
import { cacheState } from '../../mm/fadvise.ts';
import type { File } from '../../mm/fs.ts';
import { PAGE_SIZE, type Pgoff, pagesOf } from '../../mm/units.ts';
import { accessible } from './memory_calls.ts';
import type { Descriptor, Situation } from './situation.ts';
import { addrText } from './view.ts';

const MOST_DESCRIPTORS = 8;
const MOST_MEMFDS = 3;
/** Files stay below so many pages. */
const MOST_PAGES = 64;
/** What write(2) from outside the arena writes, over and over. */
const TEXTS = ['x', 'ab', 'memory', '0123456789'];

export function open(s: Situation): string | null {
  const { random, story } = s;
  if (story.linked.size === 0 || s.descriptors().length >= MOST_DESCRIPTORS) return null;
  const name = random.pick([...story.linked]);
  const flags = random.weighted(['O_RDWR', 'O_RDONLY', 'O_RDWR|O_TRUNC', 'O_RDWR|O_APPEND'], (one) =>
    one === 'O_RDWR' ? 12 : one === 'O_RDONLY' ? 4 : 1,
  );
  if (flags.includes('O_TRUNC') && s.story.runner.files.get(name)!.kind === 'disk') return null;
  return `open("${name}", ${flags}) = ${story.nextDescriptor++}`;
}

export function memfd(s: Situation): string | null {
  const { story } = s;
  if (story.memfds >= MOST_MEMFDS) return null;
  story.memfds += 1;
  return `memfd_create("m${story.memfds}", 0) = ${story.nextDescriptor++}`;
}

export function dup(s: Situation): string | null {
  const open = s.descriptors();
  if (open.length === 0 || open.length >= MOST_DESCRIPTORS) return null;
  return `dup(${s.random.pick(open).label}) = ${s.story.nextDescriptor++}`;
}

export function close(s: Situation): string | null {
  const open = s.descriptors();
  return open.length < 2 ? null : `close(${s.random.pick(open).label})`;
}

export function unlink(s: Situation): string | null {
  const { story, random } = s;
  if (story.linked.size === 0) return null;
  const name = random.pick([...story.linked]);
  story.linked.delete(name);
  return `unlink("${name}")`;
}

// contents

export function seek(s: Situation): string | null {
  const to = anyFile(s);
  if (to === null) return null;
  const whence = s.random.pick(['SEEK_SET', 'SEEK_SET', 'SEEK_END']);
  return `lseek(${to.label}, ${whence === 'SEEK_END' ? 0 : s.random.below(to.file.inode.size + 1)}, ${whence})`;
}

export function read(s: Situation): string | null {
  const { random } = s;
  const from = anyFile(s, (file) => file.readable);
  if (from === null) return null;
  const buffer = random.chance(50) ? memoryFor(s, true, from.file) : null;
  const bytes = Math.min(
    buffer?.bytes ?? Number.POSITIVE_INFINITY,
    random.pick([100, PAGE_SIZE, PAGE_SIZE, 3 * PAGE_SIZE]),
  );
  const text = buffer?.text ?? 'buf';
  if (random.chance(25)) return `read(${from.label}, ${text}, ${bytes})`;
  return `pread64(${from.label}, ${text}, ${bytes}, ${offsetIn(s, from.file)})`;
}

export function write(s: Situation): string | null {
  const { random } = s;
  const to = anyFile(s, (file) => file.writable);
  if (to === null) return null;
  const buffer = random.chance(50) ? memoryFor(s, false, to.file) : null;
  const longest = to.file.inode.kind === 'disk' ? PAGE_SIZE : 2 * PAGE_SIZE;
  const bytes = Math.min(buffer?.bytes ?? longest, random.pick([1, 100, PAGE_SIZE, PAGE_SIZE, longest]));
  const text = buffer?.text ?? `"${random.pick(TEXTS)}"`;
  const behind = to.file.append ? to.file.inode.size : to.file.pos;
  if (random.chance(25) && behind < (MOST_PAGES - 2) * PAGE_SIZE && !leavesHole(s, to.file, behind)) {
    return `write(${to.label}, ${text}, ${bytes})`;
  }
  if (to.file.append && behind >= (MOST_PAGES - 2) * PAGE_SIZE) return null;
  const end = random.chance(20) ? to.file.inode.size : offsetIn(s, to.file);
  return `pwrite64(${to.label}, ${text}, ${bytes}, ${Math.min(end, (MOST_PAGES - 2) * PAGE_SIZE)})`;
}

/** Behind the end of a file on disk it would leave pages that come by readahead. */
function leavesHole(s: Situation, file: File, pos: number): boolean {
  return pos > file.inode.size && !mayEvict(s, file);
}

/**
 * Memory of the process as a buffer; where it starts, and how long it is. Not of the file itself: what a copy within one page
 * makes of bytes that it has just written is the processor's business.
 */
function memoryFor(s: Situation, write: boolean, file: File): { text: string; bytes: number } | null {
  const range = accessible(s, write);
  if (range === null) return null;
  const end = range.start + range.pages;
  if (s.areas.some((vma) => vma.vmFile?.inode === file.inode && vma.vmStart < end && range.start < vma.vmEnd))
    return null;
  const into = s.random.chance(30) ? s.random.below(PAGE_SIZE - 1) : 0;
  return { text: addrText(range.start * PAGE_SIZE + into), bytes: range.pages * PAGE_SIZE - into };
}

function offsetIn(s: Situation, file: File): number {
  const { random } = s;
  const page = random.below(Math.max(1, Math.ceil(file.inode.size / PAGE_SIZE))) * PAGE_SIZE;
  return random.chance(30) ? Math.min(page + random.below(PAGE_SIZE), file.inode.size) : page;
}

function anyFile(s: Situation, wanted: (file: File) => boolean = () => true): Descriptor | null {
  const open = s.descriptors(wanted);
  return open.length === 0 ? null : s.random.pick(open);
}

// sizes and blocks

export function truncate(s: Situation): string | null {
  const { random } = s;
  const to = anyFile(s, (file) => file.writable);
  if (to === null) return null;
  const pages = Math.ceil(to.file.inode.size / PAGE_SIZE);
  const isNew = pages === 0;
  const wanted = random.chance(isNew ? 100 : 45) ? pages + random.between(1, 8) : random.below(pages + 1);
  const odd = random.chance(30) ? random.below(PAGE_SIZE) : 0;
  // ext4 starts writing a file that was once cut to nothing when it is closed, and nobody knows when that ends.
  const least = to.file.inode.kind === 'disk' ? 1 : 0;
  const bytes = Math.max(least, Math.min(wanted, MOST_PAGES - 1) * PAGE_SIZE + odd);
  return bytes > to.file.inode.size && !mayEvict(s, to.file) ? null : `ftruncate(${to.label}, ${bytes})`;
}

const MODES = [
  '0',
  'FALLOC_FL_KEEP_SIZE',
  'FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE',
  'FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE',
];
const DISK_MODES = [...MODES, 'FALLOC_FL_ZERO_RANGE', 'FALLOC_FL_ZERO_RANGE|FALLOC_FL_KEEP_SIZE'];

export function fallocate(s: Situation): string | null {
  const { random } = s;
  const to = anyFile(s, (file) => file.writable && mayEvict(s, file));
  if (to === null) return null;
  const mode = random.pick(to.file.inode.kind === 'disk' ? DISK_MODES : MODES);
  const odd = random.chance(20) ? random.below(PAGE_SIZE) : 0;
  const offset = Math.min(Math.floor(offsetIn(s, to.file) / PAGE_SIZE) * PAGE_SIZE + odd, MOST_PAGES * PAGE_SIZE);
  return `fallocate(${to.label}, ${mode}, ${offset}, ${random.between(1, 6) * PAGE_SIZE - odd})`;
}

export function fsync(s: Situation): string | null {
  const to = anyFile(s);
  return to === null ? null : `${s.random.pick(['fsync', 'fdatasync'])}(${to.label})`;
}

export function fadvise(s: Situation): string | null {
  const { random } = s;
  const to = anyFile(s);
  if (to === null) return null;
  const names = ['POSIX_FADV_NORMAL', 'POSIX_FADV_SEQUENTIAL', 'POSIX_FADV_WILLNEED', 'POSIX_FADV_NOREUSE'];
  if (mayEvict(s, to.file)) names.push('POSIX_FADV_DONTNEED', 'POSIX_FADV_DONTNEED', 'POSIX_FADV_DONTNEED');
  if (s.swarm.files.every((file) => file.kind === 'tmpfs' || file.cached)) names.push('POSIX_FADV_RANDOM');
  const name = random.pick(names);
  // It would start writing dirty pages, and nobody knows when that ends.
  if (name === 'POSIX_FADV_DONTNEED' && hasDirtyPages(s, to.file)) return `fsync(${to.label})`;
  const whole = random.chance(40);
  const offset = whole ? 0 : offsetIn(s, to.file);
  return `fadvise64(${to.label}, ${offset}, ${whole ? 0 : random.between(1, 6) * PAGE_SIZE}, ${name})`;
}

function hasDirtyPages(s: Situation, file: File): boolean {
  const { mapping, size } = file.inode;
  for (let page = 0; page < pagesOf(size); page++) {
    if ('dw'.includes(cacheState(s.machine, mapping, page as Pgoff))) return true;
  }
  return false;
}

/** tmpfs keeps its pages; of a disk they may go only where the program is made for it. */
function mayEvict(s: Situation, file: File): boolean {
  return file.inode.kind !== 'disk' || s.swarm.evicts;
}

// processes, swap

export function fork(s: Situation): string | null {
  const { story, swarm } = s;
  const generation = story.generation.get(s.label) ?? 1;
  if (story.runner.actors.size >= swarm.maxProcesses || generation >= swarm.maxGenerations) return null;
  const child = story.nextProcess++;
  story.generation.set(child, generation + 1);
  return `fork() = ${child}`;
}

export function exit(s: Situation): string | null {
  return s.story.runner.actors.size < 2 ? null : 'exit_group(0)';
}

/** Swap goes, and comes back at the next such call. */
export function swap(s: Situation): string | null {
  const { story } = s;
  if (s.swarm.swapMib === 0) return null;
  story.swapOn = !story.swapOn;
  return story.swapOn ? '0 swapon()' : '0 swapoff()';
}
