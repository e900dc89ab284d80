/** Lesson 7: pages that were used, and pages that come back. */
import { A, cached, list, page } from './ask.ts';
import { END, type Fact, type Lesson, MIB, type Stand } from './lesson.ts';

const pages = (count: number): string => `${count}*4096`;
const program = (between: string): string => `%mmp 1
%title a book, and a stream
%snapshot manual
%file book 32 disk
%file stream 1792 disk
1 open("book", O_RDONLY) = 3
1 open("stream", O_RDONLY) = 4
1 mmap(0x100000000000, ${pages(32)}, PROT_READ, MAP_SHARED|MAP_FIXED, 3, 0)
1 load(0x100000000000, ${pages(32)})
# nearly twice as large as memory
1 pread64(4, buf, ${pages(512)}, 0)
1 pread64(4, buf, ${pages(256)}, ${pages(512)})
${between}1 pread64(4, buf, ${pages(256)}, ${pages(768)})
1 pread64(4, buf, ${pages(256)}, ${pages(1024)})
1 pread64(4, buf, ${pages(256)}, ${pages(1280)})
1 pread64(4, buf, ${pages(256)}, ${pages(1536)})
`;
const START = program('');
const TOUR = `${START}1 load(0x100000000000, ${pages(32)})\nsnapshot\n`;

const at = (step: number): Stand => ({ program: TOUR, kernel: '3.16', memory: 4 * MIB, step });
const BOOK = ['book', 0] as const;
const refaults = (want: number): Fact => ({
  says: 'pages that came back',
  ask: { of: 'refaults', word: 'refaults' },
  want,
});

export const secondChance: Lesson = {
  title: 'Second chance and refault',
  learn: 'Why a page that was used is spared once, and how the kernel sees that it evicted the wrong one.',
  minutes: 6,
  parts: [
    {
      title: 'A book',
      text: [
        'A machine of 4 MiB, which is `1024` frames. The program maps a small book, and reads it once. Each entry is marked *young* by the processor: it was used.',
      ],
      stand: at(4),
      select: [1, A],
      beside: 'lists',
      facts: [
        cached('the book’s first page is', 'book', 0, 'a frame'),
        { says: 'its entry is young', ask: { of: 'place', pid: 1, address: A, word: 'young' }, want: 'yes' },
      ],
    },
    {
      title: 'The second chance',
      text: [
        'A stream comes: pages that are read and not needed again. Memory is full, and the book is at the tail of `inactive_file`.',
        'The scan finds its entries young. It clears the mark, notes `referenced`, and puts the pages to the head again. That is the second chance.',
      ],
      stand: at(6),
      select: BOOK,
      beside: 'lists',
      facts: [
        cached('the book’s first page is', 'book', 0, 'a frame'),
        { says: 'its entry is young', ask: { of: 'place', pid: 1, address: A, word: 'young' }, want: 'no' },
        page('its list', BOOK, 'list', 'inactive_file'),
      ],
      drawing: 'second-chance',
    },
    {
      title: 'Evicted',
      text: [
        'The stream goes on, and nobody used the book meanwhile. At its second visit the scan finds it old, takes it out of the page table, and frees it.',
        'In the page cache a *shadow* stays in its place. It says when this was, on a clock that moves with every page that is evicted or made active.',
      ],
      stand: at(7),
      select: [1, A],
      beside: 'time',
      facts: [
        cached('the book’s first page is', 'book', 0, 'a shadow'),
        { says: 'at its address there is', ask: { of: 'place', pid: 1, address: A, word: 'state' }, want: 'nothing' },
        list('active_file', 0),
      ],
    },
    {
      title: 'A refault',
      text: [
        'At the end the program reads the book again. The fault finds the shadow, and counts how many pages were evicted or made active since. If they are no more than the active pages of files, the book could have stayed in their place. (What other programs use counts, too: here a gibibyte, as on the machine where such programs are recorded.)',
        'So it is a *refault*: {0} pages came back, and they go to `active_file` at once, {1} of them. There the stream cannot reach them.',
      ],
      stand: at(12),
      select: BOOK,
      beside: 'lists',
      facts: [refaults(32), list('active_file', 32), page('the book’s list', BOOK, 'list', 'active_file')],
    },
  ],
  question: {
    text: [
      'Here is the stream again, without the last look into the book. Add *one line* at the right place, so that at the end the first page of the book is in memory, and was *never evicted*.',
      '(`mlock` does not count.)',
    ],
    stand: { program: START, kernel: '3.16', memory: 4 * MIB, step: END },
    beside: 'editor',
    by: 'program',
    fields: [],
    hint: 'The book got one chance. When the scan comes for the second time, it has to find the entries young again. So somebody has to read the book before that.',
    solution: {
      says: 'A look into the book after the second piece of the stream. The scan finds it young and referenced, and makes it active.',
      stand: { program: program(`1 load(0x100000000000, ${pages(32)})\n`) },
    },
  },
};
