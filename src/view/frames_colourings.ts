/**
 * Every frame as one byte: its category, under one of several questions.
 *
 * Owns      the questions, and what of them a machine and a host answer alike.
 * Promises  1. Each frame is in exactly one category; the counts of the legend add up to the frames.
 *           2. The same categories stand at the same places from step to step, but for processes and cgroups.
 */

import { mappedBy, mappedByHost, NOBODY, SHARED } from './frames_entries.ts';
import { framesOfHost } from './frames_host.ts';
import {
  BASE,
  BASE_OF,
  type Category,
  type Colouring,
  category,
  counted,
  KERNEL,
  largest,
  OWN,
  PLACE,
  type Tone,
  tonesOf,
  type Uncounted,
  VIEW_KINDS,
  VOID,
} from './frames_legend.ts';
import { framesOfMachine } from './frames_machine.ts';
import type { FrameSource, Painting, ZoneSpan } from './frames_source.ts';
import type { HostSubject, Subject } from './subject.ts';

export interface FramesAnswer {
  readonly colouring: Colouring;
  /** What the colours mean on this kernel. */
  readonly says: string;
  /** Why there is nothing to see; null: there is. */
  readonly missing: string | null;
  readonly frames: number;
  readonly zones: readonly ZoneSpan[];
  /** A place in `legend` for each frame. */
  readonly categories: Uint8Array;
  readonly legend: readonly Category[];
}

/** Null: the host did not show its frames. */
function sourceOf(subject: Subject): FrameSource | null {
  return subject.kind === 'machine' ? framesOfMachine(subject) : framesOfHost(subject);
}

export function frames(subject: Subject, colouring: Colouring): FramesAnswer {
  const source = sourceOf(subject);
  if (source === null) {
    const missing = whyNone(subject as HostSubject);
    return { colouring, says: '', missing, frames: 0, zones: [], categories: new Uint8Array(0), legend: [] };
  }
  const { says, categories, legend } = PAINTERS[colouring](source);
  const { frames: count, zones } = source;
  return { colouring, says, missing: null, frames: count, zones, categories, legend: counted(legend, categories) };
}

function whyNone({ snapshot: { missing } }: HostSubject): string {
  const why = (file: string) => missing.find(({ what }) => what === file)?.why;
  const notGiven = why('frame numbers') ?? why('frames');
  if (notGiven !== undefined) return `This snapshot has no frames: ${notGiven}.`;
  return 'This snapshot has no frames: whoever took it could not read /proc/kpageflags (it needs root).';
}

/** 1 for each frame that a process maps, alone or with others; null: there is no such process, or no frames. */
export function framesOfProcess(subject: Subject, pid: number): Uint8Array | null {
  if (subject.kind === 'machine') {
    const process = subject.living.find((one) => one.pid === pid);
    return process === undefined ? null : mappedBy(subject.machine, process.mm);
  }
  return mappedByHost(subject, pid);
}

interface Painted {
  readonly says: string;
  readonly categories: Uint8Array;
  readonly legend: readonly Uncounted[];
}

const PAINTERS: Readonly<Record<Colouring, (source: FrameSource) => Painted>> = {
  owner: paintOwner,
  kind: (source) => ({
    says: 'What each frame is used for; every frame has exactly one kind.',
    categories: source.kinds(),
    legend: VIEW_KINDS,
  }),
  list: (source) => pagesBy(source, source.list()),
  age: (source) => pagesBy(source, source.age()),
  mapcount: (source) => pagesBy(source, mapcountOf(source)),
  dirty: (source) => pagesBy(source, source.dirty()),
  reclaim: (source) => {
    const painting = source.reclaim();
    const kinds = source.kinds();
    // Of the kernel's frames slabs may shrink; everything else there must stay.
    const categories = painted(kinds, painting.of, (kind) => kind === PLACE.slab);
    for (let pfn = 0; pfn < categories.length; pfn++) if (categories[pfn] === KERNEL) categories[pfn] = OWN;
    return { says: painting.says, categories, legend: [...BASE, ...painting.legend] };
  },
  zone: paintZones,
  cgroup: paintCgroups,
};

/** A category for each frame: that of BASE for what is nobody's page, else what `of` says. */
function painted(
  kinds: Uint8Array,
  of: (pfn: number) => number,
  alsoAsks: (kind: number) => boolean = () => false,
): Uint8Array {
  const base = BASE_OF.map((place, kind) => (alsoAsks(kind) ? OWN : place));
  const categories = kinds;
  for (let pfn = 0; pfn < kinds.length; pfn++) {
    const place = base[kinds[pfn]!]!;
    categories[pfn] = place === OWN ? OWN + of(pfn) : place;
  }
  return categories;
}

function pagesBy(source: FrameSource, { says, legend, of }: Painting): Painted {
  return { says, categories: painted(source.kinds(), of), legend: [...BASE, ...legend] };
}

// mapcount

const MAPCOUNT_TONES: readonly Tone[] = ['file', 'p2', 'p5', 'p0', 'p7', 'p3', 'p4', 'p1'];

/** 0, 1, 2, 3-4, 5-8, 9-16, 17-64, more. */
function mapcountPlace(mapcount: number): number {
  if (mapcount <= 2) return mapcount;
  if (mapcount <= 16) return 33 - Math.clz32(mapcount - 1);
  return mapcount <= 64 ? 6 : 7;
}

function mapcountOf({ mapcount }: FrameSource): Painting {
  const names = ['0', '1', '2', '3–4', '5–8', '9–16', '17–64', '65 and more'];
  return {
    says: 'Page-table entries that map the frame. A page of the page cache, or on its way to the swap area, may have none.',
    legend: names.map((name, place) =>
      category(
        `mapped ${name}`,
        name,
        '012459+*'[place]!,
        MAPCOUNT_TONES[place]!,
        place === 0 ? 'No page table maps it.' : `Mapped by ${name} ${place === 1 ? 'entry' : 'entries'}.`,
      ),
    ),
    of: (pfn) => mapcountPlace(mapcount(pfn)),
  };
}

// owner

const OWNERS_FIRST: readonly Uncounted[] = [
  category(
    'shared',
    'shared by processes',
    's',
    'shared',
    'Two processes or more map it: a fork’s common pages, a shared file.',
  ),
  category('cache', 'file, only cached', 'f', 'file', 'A page of a file or tmpfs that no process maps.'),
  category(
    'unmapped',
    'mapped by nobody',
    'w',
    'dim',
    'Anonymous, and in no page table: in the swap cache, or just given up.',
  ),
  category('others', 'other processes', 'o', 'dim', 'Mapped by one process alone that is not among the largest.'),
];
const OWN_SHARED = OWN;
const OWN_CACHE = OWN + 1;
const OWN_UNMAPPED = OWN + 2;
const OWN_OTHERS = OWN + 3;

function paintOwner(source: FrameSource): Painted {
  const { processes, owner } = source.entries();
  const kinds = source.kinds();
  const counts = new Uint32Array(processes.length + 1);
  for (let pfn = 0; pfn < owner.length; pfn++) {
    const id = owner[pfn]!;
    if (id !== NOBODY && id !== SHARED && BASE_OF[kinds[pfn]!] === OWN) counts[id]! += 1;
  }
  const shown = largest(counts).filter((id) => processes[id - 1]!.pid !== null);
  const tones = tonesOf(shown.map((id) => processes[id - 1]!.pid!));
  const placeOf = new Uint8Array(processes.length + 1).fill(OWN_OTHERS);
  const legend = [...BASE, ...OWNERS_FIRST];
  for (const id of shown) {
    const { pid, comm } = processes[id - 1]!;
    const mark = String(pid! % 10);
    const name = comm === `process ${pid}` ? comm : `process ${pid} (${comm})`;
    placeOf[id] =
      legend.push(category(`process ${pid}`, name, mark, tones.get(pid!)!, 'Mapped by this process alone.')) - 1;
  }
  const isFile = Uint8Array.from(VIEW_KINDS, ({ key }) => Number(key.startsWith('file') || key === 'shmem'));
  const categories = new Uint8Array(kinds.length);
  for (let pfn = 0; pfn < kinds.length; pfn++) {
    const kind = kinds[pfn]!;
    const base = BASE_OF[kind]!;
    const id = owner[pfn]!;
    if (base !== OWN) categories[pfn] = base;
    else if (id === SHARED) categories[pfn] = OWN_SHARED;
    else if (id !== NOBODY) categories[pfn] = placeOf[id]!;
    else categories[pfn] = isFile[kind] === 1 ? OWN_CACHE : OWN_UNMAPPED;
  }
  const says =
    'Who maps the page: one process alone, several, or nobody. The eight processes with the most pages have colours of their own.';
  return { says, categories, legend };
}

// zones and cgroups

function paintZones(source: FrameSource): Painted {
  const categories = new Uint8Array(source.frames).fill(VOID);
  const legend = [...BASE];
  source.zones.forEach(({ name, first, end }, n) => {
    const says = `Frames ${first} to ${end - 1}.`;
    const place = legend.push(category(`zone ${name} ${first}`, name, name[0] ?? '?', `p${n % 8}`, says)) - 1;
    categories.fill(place, first, end);
  });
  return { says: 'Zones are ranges of memory with watermarks and free lists of their own.', categories, legend };
}

const NO_CGROUP = OWN;
const OTHER_CGROUPS = OWN + 1;

function paintCgroups(source: FrameSource): Painted {
  const { cgroups, cgroup } = source;
  const kinds = source.kinds();
  const counts = new Uint32Array(cgroups.length + 1);
  for (let pfn = 0; pfn < kinds.length; pfn++) counts[cgroup(pfn) + 1]! += 1;
  counts[0] = 0;
  const shown = largest(counts).map((place) => place - 1);
  const tones = tonesOf(shown);
  const legend = [
    ...BASE,
    category('none', 'charged to nobody', '–', 'dim', 'No memory cgroup pays for it.'),
    category('others', 'other cgroups', 'o', 'shared', 'Charged to a cgroup that is not among the largest.'),
  ];
  const placeOf = new Uint8Array(cgroups.length + 1).fill(OTHER_CGROUPS);
  placeOf[0] = NO_CGROUP;
  for (const id of shown) {
    const name = cgroups[id]!;
    const mark = String(id % 10);
    placeOf[id + 1] =
      legend.push(category(`cgroup ${name}`, name, mark, tones.get(id)!, `Charged to the memory cgroup ${name}.`)) - 1;
  }
  for (let pfn = 0; pfn < kinds.length; pfn++) {
    const id = cgroup(pfn) + 1;
    // The kernel's memory is charged, too.
    kinds[pfn] = id > 0 || BASE_OF[kinds[pfn]!] === OWN ? placeOf[id]! : BASE_OF[kinds[pfn]!]!;
  }
  const says =
    cgroups.length === 0
      ? 'There are no memory cgroups: this kernel has none, or the snapshot does not show them.'
      : 'The memory cgroup that pays for the page: whoever touched it first.';
  return { says, categories: kinds, legend };
}
