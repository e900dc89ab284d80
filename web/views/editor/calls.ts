/**
 * Calls that a program may make, with a line to begin from.
 *
 * Owns      the list that the editor offers. Each template is a line that parses as it stands.
 * Read      oracle/corpus/FORMAT.md
 */
export interface CallHelp {
  readonly name: string;
  readonly signature: string;
  readonly says: string;
  readonly template: string;
}

export interface CallGroup {
  readonly name: string;
  readonly calls: readonly CallHelp[];
}

const A = '0x100000000000';

export const CALL_GROUPS: readonly CallGroup[] = [
  {
    name: 'Use memory',
    calls: [
      {
        name: 'load',
        signature: 'load(address, length)',
        says: 'reads one byte of each page',
        template: `1 load(${A}, 16384)`,
      },
      {
        name: 'store',
        signature: 'store(address, length, byte)',
        says: 'writes one byte into each page',
        template: `1 store(${A}, 16384, 1)`,
      },
      {
        name: 'check',
        signature: 'check(address, length)',
        says: 'reads every byte, and gives a hash of them',
        template: `1 check(${A}, 4096)`,
      },
    ],
  },
  {
    name: 'Regions',
    calls: [
      {
        name: 'mmap',
        signature: 'mmap(address, length, prot, flags, fd, offset)',
        says: 'private memory',
        template: `1 mmap(${A}, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)`,
      },
      {
        name: 'mmap, of a file',
        signature: 'mmap(address, length, prot, flags, fd, offset)',
        says: 'a file, shared with all who map it',
        template: '1 mmap(0x100001000000, 16384, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)',
      },
      {
        name: 'munmap',
        signature: 'munmap(address, length)',
        says: 'gives a region back',
        template: `1 munmap(${A}, 4096)`,
      },
      {
        name: 'mprotect',
        signature: 'mprotect(address, length, prot)',
        says: 'other rights',
        template: `1 mprotect(${A}, 4096, PROT_READ)`,
      },
      {
        name: 'mremap',
        signature: 'mremap(old, oldLength, newLength, flags, new)',
        says: 'grows, shrinks or moves a region',
        template: `1 mremap(${A}, 16384, 32768, MREMAP_MAYMOVE, 0)`,
      },
      {
        name: 'remap_file_pages',
        signature: 'remap_file_pages(address, length, 0, page, flags)',
        says: 'another page of the file at this place',
        template: '1 remap_file_pages(0x100001000000, 4096, 0, 3, 0)',
      },
      {
        name: 'brk',
        signature: 'brk(address)',
        says: 'the end of the heap; needs %brk at the top',
        template: '1 brk(0x100000010000)',
      },
    ],
  },
  {
    name: 'Advice and locks',
    calls: [
      {
        name: 'madvise, pageout',
        signature: 'madvise(address, length, advice)',
        says: 'reclaims these pages now',
        template: `1 madvise(${A}, 16384, MADV_PAGEOUT)`,
      },
      {
        name: 'madvise, free',
        signature: 'madvise(address, length, advice)',
        says: 'may be dropped',
        template: `1 madvise(${A}, 16384, MADV_FREE)`,
      },
      {
        name: 'madvise, dontneed',
        signature: 'madvise(address, length, advice)',
        says: 'drops them now',
        template: `1 madvise(${A}, 16384, MADV_DONTNEED)`,
      },
      {
        name: 'mlock',
        signature: 'mlock(address, length)',
        says: 'holds pages in memory',
        template: `1 mlock(${A}, 4096)`,
      },
      {
        name: 'munlock',
        signature: 'munlock(address, length)',
        says: 'lets them go',
        template: `1 munlock(${A}, 4096)`,
      },
      {
        name: 'mincore',
        signature: 'mincore(address, length, 0)',
        says: 'which pages are in memory',
        template: `1 mincore(${A}, 16384, 0)`,
      },
      {
        name: 'msync',
        signature: 'msync(address, length, flags)',
        says: 'writes dirty pages to the file',
        template: '1 msync(0x100001000000, 16384, MS_SYNC)',
      },
    ],
  },
  {
    name: 'Files',
    calls: [
      {
        name: 'open',
        signature: 'open(name, flags) = label',
        says: 'a file that %file declares',
        template: '1 open("data", O_RDWR) = 3',
      },
      {
        name: 'memfd_create',
        signature: 'memfd_create(name, flags) = label',
        says: 'a file in memory',
        template: '1 memfd_create("mine", 0) = 4',
      },
      {
        name: 'pread64',
        signature: 'pread64(fd, buf, length, offset)',
        says: 'reads through the page cache',
        template: '1 pread64(3, buf, 16384, 0)',
      },
      {
        name: 'pwrite64',
        signature: 'pwrite64(fd, text, length, offset)',
        says: 'writes through the page cache',
        template: '1 pwrite64(3, "x", 4096, 0)',
      },
      { name: 'ftruncate', signature: 'ftruncate(fd, length)', says: 'another size', template: '1 ftruncate(3, 8192)' },
      {
        name: 'fallocate',
        signature: 'fallocate(fd, mode, offset, length)',
        says: 'room, or a hole',
        template: '1 fallocate(3, 0, 0, 16384)',
      },
      { name: 'fsync', signature: 'fsync(fd)', says: 'writes its dirty pages', template: '1 fsync(3)' },
      {
        name: 'fadvise64',
        signature: 'fadvise64(fd, offset, length, advice)',
        says: 'how it will be read',
        template: '1 fadvise64(3, 0, 0, POSIX_FADV_RANDOM)',
      },
      { name: 'close', signature: 'close(fd)', says: 'gives the descriptor back', template: '1 close(3)' },
    ],
  },
  {
    name: 'Processes and the system',
    calls: [
      { name: 'fork', signature: 'fork() = label', says: 'a child with the same pages', template: '1 fork() = 2' },
      { name: 'exit_group', signature: 'exit_group(0)', says: 'the process ends', template: '1 exit_group(0)' },
      { name: 'swapoff', signature: '0 swapoff()', says: 'brings all pages back from swap', template: '0 swapoff()' },
      { name: 'swapon', signature: '0 swapon()', says: 'a new swap area', template: '0 swapon()' },
    ],
  },
];

/** They stand at the top, before the first call. */
export const DIRECTIVES: readonly CallHelp[] = [
  {
    name: '%file',
    signature: '%file name pages disk|shm [cached]',
    says: 'a file',
    template: '%file data 16 disk cached',
  },
  { name: '%swap', signature: '%swap mebibytes', says: 'a swap area', template: '%swap 16' },
];
