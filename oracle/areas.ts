/**
 * Programs with very many areas: a shared file whose pages are mapped in reverse, and what is still allowed at the limit of areas.
 *
 * Read      remap_file_pages(2): since 4.0 every page that is mapped out of order is an area of its own.
 */

/** vm.max_map_count. A mapping is made as long as there are not more, so there can be one more. */
export const MAX_AREAS = 65_530;

const ARENA = 0x100000000000;
const PAGE = 4096;
/** Some pages are left over when the limit is reached. */
const LONG: number = MAX_AREAS + 10;
/** What is behind the end of the file takes areas, and no memory. */
const SHORT_FILE = 16;

function at(page: number): number {
  return ARENA + page * PAGE;
}

/** Maps a file of `filePages` once, over `pages`, and then page by page from its end to its start. */
function reversed(pages: number, filePages: number): string[] {
  return [
    '%mmp 1',
    '%snapshot manual',
    `%file reverse ${filePages} shm`,
    '1 open("reverse", O_RDWR) = 3',
    `1 mmap(${at(0)}, ${pages * PAGE}, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)`,
    ...Array.from({ length: pages }, (_, i) => `1 remap_file_pages(${at(i)}, ${PAGE}, 0, ${pages - 1 - i}, 0)`),
  ];
}

/** Every page of a shared file in reverse order, and a snapshot: as many areas as pages. */
export function reversedFile(pages: number): string {
  return [...reversed(pages, pages), 'snapshot', ''].join('\n');
}

/** The same until it fails, and behind that what else needs an area more, or gives one back. */
export function reversedToTheLimit(): string {
  const rest = MAX_AREAS;
  const another = '1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)';
  const split = `1 mprotect(${at(rest)}, ${PAGE}, PROT_READ)`;
  return [
    ...reversed(LONG, SHORT_FILE),
    another,
    split,
    `1 madvise(${at(rest)}, ${PAGE}, MADV_RANDOM)`,
    `1 mlock(${at(rest)}, ${PAGE})`,
    `1 munmap(${at(rest + 4)}, ${PAGE})`,
    `1 mremap(${at(rest)}, ${PAGE}, ${2 * PAGE}, MREMAP_MAYMOVE)`,
    // An end is cut off: no area more.
    `1 munmap(${at(LONG - 1)}, ${PAGE})`,
    `1 mremap(${at(rest)}, ${4 * PAGE}, ${3 * PAGE}, 0)`,
    // One back, and one may come again.
    `1 munmap(${at(0)}, ${PAGE})`,
    split,
    another,
    another,
    // Three back: a split needs to stay below the limit.
    `1 munmap(${at(1)}, ${3 * PAGE})`,
    split,
    split,
    `1 munmap(${at(rest + 2)}, ${PAGE})`,
    `1 munmap(${at(10)}, ${8 * PAGE})`,
    `1 mremap(${at(20)}, ${PAGE}, ${2 * PAGE}, MREMAP_MAYMOVE)`,
    `1 remap_file_pages(${at(20)}, ${PAGE}, 0, 3, 0)`,
    '',
  ].join('\n');
}
