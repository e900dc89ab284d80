/** Lesson 1: what reclaim could do with a frame. */
import { A, F, PAGE, page, S } from './ask.ts';
import { END, type Lesson, type Stand } from './lesson.ts';

const START = `%mmp 1
%title the four kinds of pages
%snapshot manual
%swap 16
%file book 8 disk cached
%file notes 4 shm
1 open("book", O_RDWR) = 3
1 open("notes", O_RDWR) = 4
# private memory, a file of a disk, a file of tmpfs
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 mmap(0x100001000000, 32768, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 mmap(0x100002000000, 16384, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 4, 0)
1 store(0x100000000000, 16384, 1)
1 load(0x100001000000, 32768)
1 store(0x100001000000, 1, 2)
1 store(0x100002000000, 16384, 3)
`;
const TOUR = `${START}# what a program can say about its pages
1 mlock(0x100000000000, 4096)
1 madvise(0x100000001000, 4096, MADV_FREE)
1 load(0x100000000000)
`;

const at = (step: number): Stand => ({ program: TOUR, kernel: '6.18', step });
const kind = (says: string, name: Parameters<typeof page>[1], want: string) => page(says, name, 'kind', want);

export const kinds: Lesson = {
  title: 'The four kinds of pages',
  learn: 'What the kernel can do with a frame when memory is short: nothing, swap, write, or drop.',
  minutes: 4,
  parts: [
    {
      title: 'Swappable',
      text: [
        'When memory is short, the kernel asks of each frame: what could be done with it? There are *four* answers.',
        'The program has stored into private memory. No file has these bytes, so the only place for them is the swap area: the page is *swappable*.',
      ],
      stand: at(6),
      select: [1, A + 2 * PAGE],
      beside: 'frames',
      facts: [
        kind('kind of the page', [1, A + 2 * PAGE], 'swappable'),
        page('entries that map it', [1, A + 2 * PAGE], 'mapcount', 1),
      ],
    },
    {
      title: 'Syncable',
      text: [
        'Then it read the pages of book, a file of a disk. Their bytes are on the disk as well.',
        'Such a page is *syncable*: made equal to the disk it can go. This one is equal already, so it costs nothing.',
      ],
      stand: at(7),
      select: [1, F],
      beside: 'frames',
      facts: [
        kind('kind of the page', [1, F], 'syncable'),
        page('its flags', [1, F], 'flags', 'referenced uptodate lru mappedtodisk'),
      ],
    },
    {
      title: 'Dirty first',
      text: [
        'One store into the first page of book, and it is dirty: the disk has older bytes. It still is syncable, but has to be written first.',
        'Its neighbours are clean. Compare their flags.',
      ],
      stand: at(8),
      select: [1, F],
      beside: 'frames',
      facts: [
        kind('kind of the dirty page', [1, F], 'syncable'),
        page('flags of the dirty page', [1, F], 'flags', 'referenced uptodate dirty lru private mappedtodisk'),
        page('flags of its neighbour', [1, F + PAGE], 'flags', 'referenced uptodate lru mappedtodisk'),
      ],
    },
    {
      title: 'A file without a disk',
      text: [
        'Notes is a file, too, but of tmpfs: it lives in memory only. Mapped or not, its pages can go to the swap area and nowhere else.',
        'So the pages of tmpfs are *swappable* like private ones, and with them shared memory without a file, which the kernel keeps in a tmpfs of its own.',
      ],
      stand: at(9),
      select: [1, S],
      beside: 'frames',
      facts: [kind('kind of the page', [1, S], 'swappable'), page('what mapping points to', [1, S], 'owner', 'notes')],
    },
    {
      title: 'Unreclaimable',
      text: [
        'With `mlock` a program says: this page stays. Reclaim may not touch it, it is *unreclaimable*.',
        'So are free frames (there is nothing to reclaim), the kernel’s own, page tables, and pages that wait for a disk. Look at the whole picture: they are the rest of memory.',
      ],
      stand: at(10),
      select: [1, A],
      beside: 'frames',
      facts: [
        kind('kind of the locked page', [1, A], 'unreclaimable'),
        page('the list it is on', [1, A], 'list', 'unevictable'),
      ],
    },
    {
      title: 'Discardable',
      text: [
        'With `MADV_FREE` a program says: I do not need these bytes any more. The page is *discardable*: it is dropped without a write, if memory is short before somebody stores into it again.',
        'The kernel’s caches of names and inodes are of this kind, too.',
      ],
      stand: at(12),
      select: [1, A + PAGE],
      beside: 'frames',
      facts: [
        kind('kind of the given-up page', [1, A + PAGE], 'discardable'),
        kind('kind of the next one', [1, A + 2 * PAGE], 'swappable'),
      ],
    },
  ],
  question: {
    text: [
      'Here is the same program without its last lines. Add two lines, so that at its end:',
      'the first page of notes, at `0x100002000000`, is *unreclaimable*, and the first page of book, at `0x100001000000`, is still mapped, but *not dirty*.',
    ],
    stand: { program: START, kernel: '6.18', step: END },
    beside: 'editor',
    by: 'program',
    fields: [],
    hint: 'One call holds pages in memory; another one writes what is dirty of a mapping to its file: msync with MS_SYNC.',
    solution: {
      says: 'mlock holds the page of tmpfs; msync writes the page of the file, which then equals the disk.',
      stand: { program: `${START}1 mlock(0x100002000000, 4096)\n1 msync(0x100001000000, 4096, MS_SYNC)\n` },
    },
  },
};
